-- Whose everything is, and who works with it; docs/decisions/0022-roles-of-the-service.md.
--   rafiki_owner    owns schemas, tables, functions and the foreign server; nobody logs in as it
--   rafiki_service  the login of coordinator, workers and servers: reads and writes our tables, and nothing else
--   rafiki_reader   the login that reads sources: no rights but to call the functions that callers of rafiki_train made for it
do $$
declare
  wanted text;
begin
  foreach wanted in array array['rafiki_owner', 'rafiki_service', 'rafiki_reader'] loop
    if exists (select from pg_roles where rolname = wanted and (rolsuper or rolbypassrls)) then
      raise exception using errcode = 'invalid_role_specification',
        message = format('role %s must be neither a superuser nor exempt from row-level security', wanted),
        hint = format('Run: alter role %s nosuperuser nobypassrls;', wanted);
    elsif not exists (select from pg_roles where rolname = wanted) then
      execute format('create role %I %s', wanted, case when wanted = 'rafiki_owner' then 'nologin' else 'login noinherit' end);
    end if;
  end loop;
  if not pg_has_role(current_user, 'rafiki_owner', 'usage') then
    execute format('grant rafiki_owner to %I', current_user);
    perform set_config('rafiki.joined', 'on', true); -- until the end of the script
  end if;
exception when insufficient_privilege then
  raise exception using errcode = 'insufficient_privilege', message = 'rafiki needs three roles that are not all there yet',
    detail = sqlerrm, hint = 'An administrator runs docs/install-managed.sql; its first lines say how.';
end $$;

-- which files of this folder were run; what builds the script writes a line after each
create table rafiki.migration (
  name text primary key,
  applied_at timestamptz not null default now()
);
insert into rafiki.migration (name) values ('0001-tables');

-- Open studies of 0.1.0 have nothing to read their source with.
update rafiki.trial set state = 'cancelled', ended_at = now() where state in ('waiting', 'running');
update rafiki.study set state = 'failed', ended_at = now(), error = jsonb_build_object(
    'sqlstate', '55000', 'message', 'the study was open while rafiki was upgraded', 'hint', 'Train again.')
where state in ('queued', 'running');

-- Bounds of what callers say: dates that overflow, numbers that are none, texts without an end.
update rafiki.study set max_time = least(max_time, interval '30 days'), max_trials = least(max_trials, 10000),
  target_score = case when target_score <= 1 then target_score end,
  delta = case when delta <= 1e308 or delta = 'infinity' then delta else 'infinity' end,
  features = features[array_lower(features, 1):array_lower(features, 1) + 1599],
  families = case when cardinality(families) <= 1000 and octet_length(array_to_string(families, ',')) <= 65536 then families end,
  knobs = case when octet_length(knobs::text) <= 65536 then knobs else '{}' end,
  advisor = left(advisor, 63);
alter table rafiki.study
  alter owner drop default,
  -- whoever can read the row may cancel the study: functions take the key as the proof
  add key uuid not null unique default gen_random_uuid(),
  -- the function of schema rafiki_reader that reads the source, and what it asks for; null once the study has ended
  add reader uuid unique,
  add ticket text,
  add constraint study_max_time check (max_time <= interval '30 days'),
  add constraint study_max_trials check (max_trials <= 10000),
  add constraint study_target_score check (target_score <= 1),
  add constraint study_delta check (delta <= 1e308 or delta = 'infinity'),
  add constraint study_features check (cardinality(features) <= 1600),
  add constraint study_families check (cardinality(families) <= 1000 and octet_length(array_to_string(families, ',')) <= 65536),
  add constraint study_knobs check (octet_length(knobs::text) <= 65536),
  add constraint study_advisor check (length(advisor) <= 63);
update rafiki.model set latency_budget = interval '1 day' where latency_budget > interval '1 day';
alter table rafiki.model
  alter owner drop default,
  add constraint model_latency_budget check (latency_budget <= interval '1 day');

-- whoever can read a row may change the model: functions take the key as the proof
create table rafiki.ownership (
  model_id bigint primary key references rafiki.model (id) on delete cascade,
  key uuid not null unique default gen_random_uuid()
);
insert into rafiki.ownership (model_id) select id from rafiki.model;

-- which coordinator acts, and until when it does without being heard of
create table rafiki.leader (
  singleton boolean primary key default true check (singleton),
  process_id bigint,
  lease_until timestamptz not null default '-infinity'
);
insert into rafiki.leader default values;

-- what one role may have at once
create table rafiki.quota (
  name text primary key,
  value bigint not null check (value >= 0),
  title text not null
);

drop trigger if exists guard_model_name on rafiki.study;
