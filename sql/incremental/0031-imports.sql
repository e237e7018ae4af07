-- Imported models: docs/decisions/0043-imported-models.md.

create table rafiki.import (
  id bigint generated always as identity primary key,
  owner regrole not null,
  model text not null check (length(model) between 1 and 200),
  task text not null references rafiki.task (name),
  spec jsonb not null default '{}' check (jsonb_typeof(spec) = 'object'),
  -- of its file
  bytes bigint not null check (bytes > 0),
  deploy boolean not null default true,
  -- uploading: only within the transaction that began it
  state text not null default 'uploading' check (state in ('uploading', 'queued', 'checking', 'completed', 'failed')),
  -- hash of what proves that the caller began it
  ticket text,
  -- counts claims, as of a trial
  attempt int not null default 0,
  version int,
  error jsonb,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz
);
create index import_open on rafiki.import (owner, id) where state in ('uploading', 'queued', 'checking');

-- its file, until the import ends
create table rafiki.import_part (
  import_id bigint not null references rafiki.import (id) on delete cascade,
  number int not null,
  data bytea not null,
  primary key (import_id, number)
);
alter table rafiki.import_part alter column data set storage external;

-- The task of an imported version, whose graphs are foreign and run in a process of their own; null for one that a study made.
alter table rafiki.model_version add column imported_as text references rafiki.task (name);
-- An imported model was scored by nobody here.
alter table rafiki.model_version alter column score drop not null;
alter table rafiki.model_member alter column score drop not null;
