-- One file, two ways in:  create extension rafiki cascade   |   psql -1 -v ON_ERROR_STOP=1 -f rafiki--0.1.0.sql
do $$
begin
  if to_regnamespace('rafiki') is not null then
    raise exception using errcode = 'duplicate_schema', message = 'rafiki is installed in this database already',
      hint = 'To start over: drop extension rafiki cascade; or, if it came by psql: drop schema rafiki, rafiki_reader cascade.';
  end if;
  if getdatabaseencoding() <> 'UTF8' then
    raise exception using errcode = 'feature_not_supported', message = 'rafiki needs a database in UTF8',
      detail = format('The encoding of this one is %s.', getdatabaseencoding()),
      hint = 'Create one with: create database NAME encoding ''UTF8'' template template0.';
  end if;
end $$;

-- dblink gets a schema that only the owner may use: its named connection belongs to the session, not to a role, so whoever
-- reaches dblink could put a server of his own in place of ours and plant answers for the session's other roles.
do $$
declare
  home text;
  is_new boolean; -- made by this very transaction: by "create extension rafiki cascade"
begin
  select e.extnamespace::regnamespace::text, e.xmin = pg_current_xact_id_if_assigned()::xid into home, is_new
    from pg_extension e where e.extname = 'dblink';
  if home is null then
    create schema if not exists rafiki_dblink;
    create extension dblink schema rafiki_dblink;
  elsif is_new and home <> 'rafiki_dblink' then
    create schema rafiki_dblink;
    alter extension dblink set schema rafiki_dblink;
    -- not a member of rafiki: a dump makes the schema first, then dblink in it, then rafiki
    alter extension rafiki drop schema rafiki_dblink;
  elsif has_schema_privilege('public', home, 'usage') then
    raise warning using message = format('dblink is in schema %s, where everybody can use it', home),
      detail = 'Who can call dblink can put a server of his own in the place of rafiki''s for the rest of his session.',
      hint = 'Revoke execute on its functions from public, or move it to a schema of its own before you install rafiki.';
  end if;
end $$;

create schema rafiki;

-- where a worker makes the function through which it reads a source as the study's owner; nobody else may look in
create schema rafiki_reader;

create table rafiki.task (
  name text primary key,
  input text not null check (input in ('text', 'image')),
  output text not null check (output in ('label', 'boxes')),
  title text not null
);

create table rafiki.family (
  name text not null,
  task text not null references rafiki.task (name),
  title text not null,
  knobs jsonb not null,
  primary key (name, task)
);

create table rafiki.process (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('coordinator', 'worker', 'serving')),
  host text not null,
  pid int not null,
  threads int not null default 1,
  device text not null default 'cpu' check (device in ('cpu', 'webgpu', 'cuda')),
  version text not null,
  -- trials taken from it since it was not heard of in time
  lost int not null default 0,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

create table rafiki.study (
  id bigint generated always as identity primary key,
  owner regrole not null default current_user::regrole,
  task text not null references rafiki.task (name),
  source regclass not null,
  model text not null check (length(model) between 1 and 200),
  target name not null,
  features name[] not null check (cardinality(features) > 0),
  families text[],
  knobs jsonb not null default '{}' check (jsonb_typeof(knobs) = 'object'),
  advisor text not null default 'random',
  collaborative boolean not null default true,
  -- of a collaborative study: chance of a random start, first and last; gain of a score for which weights are published
  alpha_first float8 not null default 1 check (alpha_first between 0 and 1),
  alpha_last float8 not null default 0.1 check (alpha_last between 0 and 1),
  delta float8 not null default 0.005 check (delta >= 0),
  -- whether it may end before its limits, once more trials are not worth it
  terminator boolean not null default true,
  -- whether only workers with a GPU may take its trials
  gpu boolean not null default false,
  max_trials int not null check (max_trials > 0),
  max_time interval not null check (max_time > interval '0'),
  target_score float8 check (target_score > 0),
  validation float8 not null check (validation > 0 and validation < 1),
  seed int not null,
  deploy boolean not null default true,
  on_bad_row text not null default 'error' check (on_bad_row in ('error', 'skip')),
  state text not null default 'queued' check (state in ('queued', 'running', 'completed', 'failed', 'cancelled')),
  cancel_requested boolean not null default false,
  -- the model's deployed version when the study began, and its score on this study's validation rows
  incumbent_id bigint,
  incumbent_score float8,
  version int,
  error jsonb,
  -- why no further trial is begun although no limit is reached
  closed text,
  notice text,
  skipped_rows int not null default 0,
  skipped_example text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz
);
create unique index study_one_open on rafiki.study (model) where state in ('queued', 'running');

-- what is kept in S3, as <hash in hex>/<id>; written down before the upload, deleted after the deletion there
create table rafiki.object (
  id uuid primary key default gen_random_uuid(),
  hash bytea not null,
  -- by the blob that named it: no upload is under way any more
  released boolean not null default false,
  created_at timestamptz not null default now()
);

create table rafiki.blob (
  hash bytea primary key,
  -- null: in S3
  data bytea,
  created_at timestamptz not null default now(),
  object_id uuid references rafiki.object (id),
  check ((data is null) <> (object_id is null))
);
create index blob_object on rafiki.blob (object_id) where object_id is not null;
alter table rafiki.blob alter column data set storage external; -- weights do not compress: spare the attempt

create table rafiki.params (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('checkpoint', 'model', 'weights')),
  meta bytea not null,
  -- of published weights: hash of the rows trained and validated on
  basis bytea,
  created_at timestamptz not null default now()
);

create table rafiki.params_tensor (
  params_id bigint not null references rafiki.params (id) on delete cascade,
  name text not null,
  dtype text not null,
  shape int[] not null,
  -- of published weights: what a tensor does; only one of the same shape and role can take its place
  role text,
  hash bytea not null references rafiki.blob (hash),
  primary key (params_id, name)
);
create index params_tensor_hash on rafiki.params_tensor (hash);

create table rafiki.trial (
  id bigint generated always as identity primary key,
  study_id bigint not null references rafiki.study (id) on delete cascade,
  number int not null,
  family text not null,
  knobs jsonb not null,
  seed int not null,
  state text not null default 'waiting'
    check (state in ('waiting', 'running', 'completed', 'stopped', 'failed', 'cancelled')),
  attempt int not null default 0,
  process_id bigint references rafiki.process (id) on delete set null,
  lease_until timestamptz,
  stop_requested boolean not null default false,
  epoch int not null default 0,
  epochs int,
  score float8,
  seconds float8,
  checkpoint_id bigint references rafiki.params (id) on delete set null,
  params_id bigint references rafiki.params (id) on delete set null,
  -- at random, or from what is published: still open until the first attempt begins, which then chooses for all
  start text not null default 'random' check (start in ('random', 'open', 'chosen')),
  -- where its weights came from: the trial that gave most of them, and the share that was taken from any; 0 is a random start
  parent_id bigint references rafiki.trial (id) on delete set null,
  warm_share real check (warm_share between 0 and 1),
  -- weights that other trials may start from, and their score
  published_id bigint references rafiki.params (id) on delete set null,
  published_score float8,
  -- class index predicted for each validation row (uint16, little endian): the accuracy of any ensemble follows from these
  predictions bytea,
  validation_hash bytea,
  error jsonb,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz,
  unique (study_id, number)
);
-- what a claim looks at: the oldest waiting trial of each open study, how many run, and when one was begun last; no index
-- has lease_until, so that a heartbeat writes to none
create index trial_waiting on rafiki.trial (study_id, created_at, id) where state = 'waiting';
create index trial_running on rafiki.trial (study_id) where state = 'running';
create index trial_process on rafiki.trial (process_id) where process_id is not null;
create index trial_started on rafiki.trial (study_id, started_at) where started_at is not null;
create index trial_checkpoint on rafiki.trial (checkpoint_id);
create index trial_params on rafiki.trial (params_id);
create index trial_published on rafiki.trial (published_id);
create index trial_parent on rafiki.trial (parent_id);

-- published weights that a trial may start from, best first; chosen once, so that each attempt starts alike
-- the same weights in another precision, where that answers much quicker
create table rafiki.trial_variant (
  trial_id bigint not null references rafiki.trial (id) on delete cascade,
  precision text not null check (precision in ('int8')),
  score float8 not null,
  params_id bigint not null references rafiki.params (id),
  -- as trial.predictions
  predictions bytea not null,
  primary key (trial_id, precision)
);
create index trial_variant_params on rafiki.trial_variant (params_id);

create table rafiki.trial_start (
  trial_id bigint not null references rafiki.trial (id) on delete cascade,
  rank int not null,
  params_id bigint not null references rafiki.params (id) on delete cascade,
  parent_id bigint not null references rafiki.trial (id) on delete cascade,
  primary key (trial_id, rank)
);
create index trial_start_params on rafiki.trial_start (params_id);
create index trial_start_parent on rafiki.trial_start (parent_id);

-- what the trials of a study were validated on; a trial that saw the table in another state has another hash
create table rafiki.validation (
  study_id bigint not null references rafiki.study (id) on delete cascade,
  hash bytea not null,
  classes text[] not null,
  -- class index of each validation row (uint16, little endian), in the order of trial.predictions
  labels bytea not null,
  primary key (study_id, hash)
);

create table rafiki.report (
  trial_id bigint not null references rafiki.trial (id) on delete cascade,
  epoch int not null,
  attempt int not null,
  step int not null,
  loss float8 not null,
  score float8 not null,
  metrics jsonb not null default '{}',
  seconds float8 not null,
  created_at timestamptz not null default now(),
  primary key (trial_id, epoch)
);

create table rafiki.model (
  id bigint generated always as identity primary key,
  name text not null unique,
  owner regrole not null default current_user::regrole,
  task text not null references rafiki.task (name),
  -- whoever can read this row may use the model: the bridge takes the key as the proof
  key uuid not null unique default gen_random_uuid(),
  latency_budget interval check (latency_budget > interval '0'),
  created_at timestamptz not null default now(),
  unique (id, owner)
);

create table rafiki.model_grant (
  model_id bigint not null,
  role regrole not null,
  -- the model's: a policy that looked it up there would go in a circle, since a model is seen through its grants
  owner regrole not null,
  primary key (model_id, role),
  foreign key (model_id, owner) references rafiki.model (id, owner) on update cascade on delete cascade
);

create table rafiki.model_version (
  id bigint generated always as identity primary key,
  model_id bigint not null references rafiki.model (id) on delete cascade,
  version int not null,
  study_id bigint references rafiki.study (id) on delete set null,
  -- of the ensemble, on the study's validation rows
  score float8 not null,
  -- and of each subset of its members: element v + 1 for those whose rank is a bit of v; null where members do not vote
  accuracies float8[],
  classes text[] not null,
  created_at timestamptz not null default now(),
  unique (model_id, version)
);

create table rafiki.model_member (
  version_id bigint not null references rafiki.model_version (id) on delete cascade,
  rank int not null,
  trial_id bigint references rafiki.trial (id) on delete set null,
  family text not null,
  precision text not null default 'float32' check (precision in ('float32', 'int8')),
  score float8 not null,
  params_id bigint not null references rafiki.params (id),
  primary key (version_id, rank)
);
create index model_member_params on rafiki.model_member (params_id);

create table rafiki.deployment (
  id bigint generated always as identity primary key,
  model_id bigint not null references rafiki.model (id) on delete cascade,
  version_id bigint not null references rafiki.model_version (id) on delete cascade,
  state text not null default 'loading' check (state in ('loading', 'ready', 'retired', 'failed')),
  error jsonb,
  created_at timestamptz not null default now(),
  ready_at timestamptz,
  retired_at timestamptz
);
create unique index deployment_one_ready on rafiki.deployment (model_id) where state = 'ready';
create unique index deployment_one_loading on rafiki.deployment (model_id) where state = 'loading';

create table rafiki.predict_stat (
  process_id bigint not null references rafiki.process (id) on delete cascade,
  model_id bigint not null references rafiki.model (id) on delete cascade,
  calls bigint not null,
  rows bigint not null,
  cached bigint not null,
  batches bigint not null,
  overdue bigint not null,
  p50_ms float8,
  p99_ms float8,
  -- rows asked while the model was not in memory, how often it was loaded, and bytes that it takes now
  cold bigint not null default 0,
  loads bigint not null default 0,
  bytes bigint not null default 0,
  primary key (process_id, model_id)
);

-- what a serving policy that learns knows of a version: weights as it writes them
create table rafiki.policy_weights (
  version_id bigint not null references rafiki.model_version (id) on delete cascade,
  policy text not null,
  weights jsonb not null,
  updated_at timestamptz not null default now(),
  primary key (version_id, policy)
);

-- the secret that bridges ask for; one row, for the owner's eyes
create table rafiki.bridge (
  singleton boolean primary key default true check (singleton),
  secret text not null
);

-- where they listen; each says so again while it lives
create table rafiki.bridge_address (
  host text not null,
  port int not null,
  seen_at timestamptz not null default now(),
  primary key (host, port)
);

-- what the bridge answers; see docs/architecture.md
create type rafiki.reply as (s text, v text, loc text);
