-- Trials that several workers train: docs/decisions/0028-joint-training.md.

-- null: a trial that takes long is joined by idle workers of other machines
alter table rafiki.study add column workers_per_trial int check (workers_per_trial between 1 and 64);

-- seconds that all of a trial's epochs take on one worker; 0: little, and not measured; null: not measured yet, so that no other worker may join
alter table rafiki.trial add column full_seconds float8 check (full_seconds >= 0);

-- the last attempt that has stored a checkpoint: a trial is given up after some attempts without one
alter table rafiki.trial add column checkpoint_attempt int;

-- The workers that train a trial together with the one that owns it. Without a heartbeat one loses its place.
create table rafiki.trial_worker (
  trial_id bigint not null references rafiki.trial (id) on delete cascade,
  process_id bigint not null references rafiki.process (id) on delete cascade,
  attempt int not null,
  lease_until timestamptz not null,
  -- whether it is ready for a round, and the last round that it has trained, whose weights it has; null: it has none
  is_ready boolean not null default false,
  round int,
  -- of its last round
  rows_per_second real,
  primary key (trial_id, process_id)
);
create index trial_worker_process on rafiki.trial_worker (process_id);

-- The newest rounds of a trial: what each worker trains, and the weights that all of them start from.
create table rafiki.trial_round (
  trial_id bigint not null references rafiki.trial (id) on delete cascade,
  attempt int not null,
  number int not null,
  -- epoch, epochs, step, batches: see the type Round
  plan jsonb not null,
  -- seats 1, 2, …; seat 0 is the owner's
  process_ids bigint[] not null,
  params_id bigint not null references rafiki.params (id),
  -- of the owner, in the round before; null in the first
  rows_per_second real,
  exchange_share real check (exchange_share between 0 and 1),
  primary key (trial_id, attempt, number)
);
create index trial_round_params on rafiki.trial_round (params_id);

-- What the workers have learnt in a round: how their weights differ from those it started from.
create table rafiki.trial_change (
  trial_id bigint not null,
  attempt int not null,
  number int not null,
  process_id bigint not null references rafiki.process (id) on delete cascade,
  -- that it trained, and how long that took without the exchange
  row_count int not null check (row_count >= 0),
  seconds float8 not null check (seconds >= 0),
  params_id bigint not null references rafiki.params (id),
  primary key (trial_id, attempt, number, process_id),
  foreign key (trial_id, attempt, number) references rafiki.trial_round (trial_id, attempt, number) on delete cascade
);
create index trial_change_params on rafiki.trial_change (params_id);
create index trial_change_process on rafiki.trial_change (process_id);

alter table rafiki.params drop constraint params_kind_check,
  add constraint params_kind_check check (kind in ('checkpoint', 'model', 'weights', 'round'));
