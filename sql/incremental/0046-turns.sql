-- When a worker took a trial last: roles take turns by it, also those whose trials go on for days.
alter table rafiki.trial add column claimed_at timestamptz;
create index trial_claimed on rafiki.trial (study_id, claimed_at) where claimed_at is not null;
