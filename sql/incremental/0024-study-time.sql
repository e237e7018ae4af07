-- How a study spends its time: docs/decisions/0029-study-time.md.

-- Rungs: what is best after a short training continues from its weights; null: a trial that is trained to its end
alter table rafiki.trial add column rung int check (rung >= 1),
  -- trials of its rung; null before that is planned
  add column rung_size int check (rung_size >= 1),
  -- seconds that a trial has in its rung; null in the last one: what is left
  add column planned_seconds float8 check (planned_seconds >= 0);
-- what a study whose trials take long does with its time, for its owner
alter table rafiki.study add column plan text,
  -- families and their knobs in earlier studies of the owner, the best first; null before it is looked up
  add column experience jsonb;

-- Whether the models are trained again on all rows in the end
alter table rafiki.study add column refit boolean not null default false,
  -- seconds at the end that are reserved for that
  add column refit_seconds float8 not null default 0 check (refit_seconds >= 0);
alter table rafiki.trial add column refits bigint references rafiki.trial (id) on delete cascade;
create index trial_refits on rafiki.trial (refits) where refits is not null;
-- of the refits: all inputs, instead of those of the training rows
alter table rafiki.validation add column refit_trained bigint[];
-- the weights that answer, while params_id has those whose score is known; null: these answer
alter table rafiki.model_member add column refit_params_id bigint references rafiki.params (id);
create index model_member_refit_params on rafiki.model_member (refit_params_id) where refit_params_id is not null;
