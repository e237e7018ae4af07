-- What the dashboard shows: docs/decisions/0046-dashboard.md.

-- the process that trained a trial last: process_id is null after its end; without a link, because processes are deleted
alter table rafiki.trial add column worker bigint;

-- What a server counts of each model beside its calls: calls that were refused; calls by their time, and batches by their size, up to each bound
-- (src/serving/predict-stat.ts); rows by the members that answered, as the bits of their ranks.
alter table rafiki.predict_stat
  add column refused bigint not null default 0,
  add column latencies bigint[] not null default '{}',
  add column batch_sizes bigint[] not null default '{}',
  add column members jsonb not null default '{}';
