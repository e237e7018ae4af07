-- when the stop of a trial was requested: it has some time from then on
alter table rafiki.trial add column stop_requested_at timestamptz,
  -- epochs of its checkpoint, from which the next attempt goes on; reports of later ones are of a lost attempt
  add column checkpoint_epoch int;
-- of the rows that incumbent_score was measured on
alter table rafiki.study add column incumbent_hash bytea;
