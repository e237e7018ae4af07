-- Workers of one machine exchange a trial's rounds in files: docs/decisions/0028-joint-training.md.

-- Rounds of theirs are shown every few seconds, without weights.
alter table rafiki.trial_round alter column params_id drop not null;

-- A worker waits for a round after this one; null: not in the database. It is read together with the column round, and replaces a flag
-- that was lost when a worker missed the round that it was offered.
drop trigger if exists notify_ready on rafiki.trial_worker;
alter table rafiki.trial_worker drop column is_ready, add column waits_after int check (waits_after >= 0);

-- The shard that a worker holds of a data set that is too large for one; the owner of the trial holds shard 0. Workers that join at the
-- same moment may get the same one.
alter table rafiki.trial_worker add column shard int not null default 1 check (shard >= 1);
