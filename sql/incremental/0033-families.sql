-- Families from elsewhere: docs/decisions/0044-families-from-elsewhere.md.

-- Of workers: what a running worker has described. It stays for a while after the last of them has ended, so that a study can wait for it.
alter table rafiki.family
  add column of_workers boolean not null default false,
  add column min_trials int not null default 0,
  add column needs_encoder boolean not null default false,
  add column told_at timestamptz;

create table rafiki.worker_family (
  process_id bigint not null references rafiki.process (id) on delete cascade,
  name text not null,
  primary key (process_id, name)
);
create index worker_family_name on rafiki.worker_family (name);
