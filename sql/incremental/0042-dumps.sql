-- A dump of the extension has the tables one after the other, each with its foreign keys: those of study and model_version pointed at each other, so
-- that no order could be restored. The trigger forget_start does what the constraint did.
alter table rafiki.study drop constraint study_start_version_fkey;

-- Checkpoints replace each other every 20 s or so: by default a fifth of the table would be dead before it was cleaned. A tensor is in rows of 2 kB:
-- 100 MB, or a fiftieth.
alter table rafiki.blob set (toast.autovacuum_vacuum_threshold = 50000, toast.autovacuum_vacuum_scale_factor = 0.02);
