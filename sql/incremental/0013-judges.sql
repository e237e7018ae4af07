-- What judges a study's trials, how it is steered while it runs, and what was trained on.
alter table rafiki.study
  -- rows of its own to validate on; or the column that says which rows of the source those are: a boolean one, or one of times, of
  -- which those later than validation_after are (ISO 8601, or with the column's own time zone where it has none)
  add validation_source regclass,
  add validation_split name,
  add validation_after text check (length(validation_after) <= 64),
  -- what trials are compared by
  add metric text not null default 'accuracy' check (metric in ('accuracy', 'macro_f1', 'log_loss', 'auc', 'map50')),
  add class_weights text check (class_weights = 'balanced'),
  -- whether its model may take the place of one for other classes or another task
  add replace boolean not null default false,
  add finish_requested boolean not null default false,
  add paused_at timestamptz,
  -- how long it was paused, until the last time that it was resumed
  add paused_for interval not null default '0',
  add constraint study_judge check (validation_source is null or validation_split is null);
update rafiki.study set metric = 'map50' where task = 'object_detection';

-- The inputs that trials with these validation rows were trained on: the first eight bytes of the SHA-256 of each, in ascending order,
-- at most 262144 of them (2 MB), those that come first. Null for studies before it.
alter table rafiki.validation add trained bigint[] check (cardinality(trained) <= 262144);

-- What its score is, and of how many rows: null for versions before.
alter table rafiki.model_version add metric text, add judged_rows int;
