-- Versions and studies can be dropped one by one: docs/operating.md.

-- The highest number of a dropped version: no number is given twice. Null: none was dropped.
alter table rafiki.model add column dropped_version int;

-- The task of a version whose study was dropped; null: that of its study, or of its import.
alter table rafiki.model_version add column task text references rafiki.task (name);

-- null: no limit
alter table rafiki.quota alter column value drop not null;
