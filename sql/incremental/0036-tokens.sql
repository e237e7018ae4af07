-- Tokens of the HTTP server: docs/decisions/0047-tokens.md.
create table rafiki.token (
  id bigint generated always as identity primary key,
  -- the role that it acts as
  owner regrole not null,
  name text not null check (name ~ '^[^[:cntrl:]]{1,100}$'),
  -- SHA-256 of the token's own SHA-256, which is what a session proves it with: the token itself never reaches the database
  hash text not null unique check (hash ~ '^[0-9a-f]{64}$'),
  -- the function of schema rafiki_reader that acts as the owner, and the hash of its ticket
  reader uuid not null unique,
  ticket text not null,
  -- who knows it may revoke the token
  key uuid not null unique default gen_random_uuid(),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  unique (owner, name)
);
create index token_expires on rafiki.token (expires_at);

-- HTTP servers have a row, too
alter table rafiki.process drop constraint process_kind_check,
  add constraint process_kind_check check (kind in ('coordinator', 'worker', 'serving', 'http'));
