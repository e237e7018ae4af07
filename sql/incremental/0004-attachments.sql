-- Tables that models are attached to, and what is known of their rows that have no prediction yet. A row waits where its output is
-- null and its input is not: there is no queue beside the table; docs/decisions/0023-attached-tables.md.
create table rafiki.attachment (
  id bigint generated always as identity primary key,
  model_id bigint not null references rafiki.model (id) on delete cascade,
  -- its columns are those of the trigger rafiki_<id>_update, which follows them when they are renamed
  target regclass not null,
  -- whose it was then; nobody else's rights fill it
  owner regrole not null,
  -- the function of schema rafiki_reader that fills rows as the owner of the table, and the hash of what proved that he made it
  reader uuid not null unique,
  ticket text not null,
  created_at timestamptz not null default now(),
  -- since when rows wait, as far as the coordinator has taken marks; null: none does
  waiting_since timestamptz default now(),
  -- how many they were when they were counted last, less those that were filled since
  to_come bigint not null default 0,
  filled bigint not null default 0,
  filled_at timestamptz,
  -- why the last try did not fill them, how many tries failed one after another, and when the next one is
  error jsonb,
  failures int not null default 0,
  retry_at timestamptz not null default '-infinity'
);
create index attachment_model on rafiki.attachment (model_id);

-- that a transaction left rows to be filled; a row for each session and attachment, so that no writer waits for another
create table rafiki.attachment_mark (
  id bigint generated always as identity primary key,
  attachment_id bigint not null,
  pid int not null,
  since timestamptz not null default now()
);
create index attachment_mark_place on rafiki.attachment_mark (attachment_id, pid);

-- versions of rows that a model has no answer to: they are not asked again
create table rafiki.unanswered (
  attachment_id bigint not null references rafiki.attachment (id) on delete cascade,
  relation oid not null,
  place tid not null,
  version xid not null,
  error jsonb not null,
  noted_at timestamptz not null default now(),
  primary key (attachment_id, relation, place)
);
