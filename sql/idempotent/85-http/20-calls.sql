-- The calls of the HTTP server. Each runs as the role that the request acts as, reads its
-- arguments from a JSON object, and returns JSON values. A token makes no others (10-tokens.sql).

-- Makes one of the functions rafiki._http_*; nobody else can create any there.
create or replace function rafiki._http(call text, args jsonb) returns setof json
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  called constant regprocedure := (
    select p.oid from pg_proc p
    where p.pronamespace = 'rafiki'::regnamespace and p.proname = '_http_' || call and p.proowner = 'rafiki_owner'::regrole);
begin
  if called is null then
    raise exception using errcode = 'undefined_function', message = format('the HTTP server makes no call %s', call),
      hint = 'Install the same version of rafiki in the database: rafiki install.';
  end if;
  return query execute format('select * from rafiki.%I($1)', '_http_' || call) using args;
end $$;

-- The same for a token that only predicts: what predictions need, and what tells of the models.
-- Where they were learnt from, and whose rights the role has, is not for a public page.
create or replace function rafiki._predicting(call text, args jsonb) returns setof json
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if call <> all ('{me,models,model_inputs,usable_model,no_answer,classes,repository,stats,revoke_token}') then
    raise exception using errcode = 'insufficient_privilege', message = 'the token only predicts',
      detail = 'It was created with only_predicts => true.', hint = 'Use another token of the role, or its password.';
  end if;
  return query
    select case call when 'me' then json_build_object('role', a ->> 'role', 'roles', '[]'::json)
                     when 'model_inputs' then (a::jsonb || '{"source": null, "validation_source": null, "target": null, "members": []}')::json
                     else a end
    from rafiki._http(call, args) a;
end $$;

-- The schema of the current role: the one of its name, unless another
-- role made it, which could place tables there that look like the role's.
create or replace function rafiki._own_schema() returns name
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select n.nspname from pg_namespace n join pg_roles r on r.oid = n.nspowner
  where n.nspname = current_user and (r.rolsuper or pg_has_role(r.oid, 'usage'))
$$;

-- A table or view. A name without a schema is looked for in the role's own schema, then in "public": sessions
-- of the HTTP server have no search path of the role's own, in which others could have placed operators.
create or replace function rafiki._relation_named(argument text, name text) returns regclass
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  parts constant text[] := rafiki._name_parts(argument, name);
  relation regclass;
begin
  relation := case cardinality(parts)
    when 1 then coalesce(to_regclass(quote_ident(rafiki._own_schema()) || format('.%I', parts[1])), to_regclass(format('public.%I', parts[1])))
    when 2 then to_regclass(format('%I.%I', parts[1], parts[2])) end;
  if relation is null then
    raise exception using errcode = 'undefined_table', message = format('relation "%s" does not exist', name),
      hint = 'GET /v1/datasets lists what you may read. A table that is neither in "public" nor in the schema of your role needs its schema: schema.table.';
  end if;
  return relation;
end $$;

-- A role. Postgres's own errors for a name, an interval and a time say what is wrong, but not what to do.
create or replace function rafiki._role_named(argument text, name text) returns regrole
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  -- a longer name is none, not cut
  found constant regrole := (select r.oid from pg_roles r where r.rolname = _role_named.name);
begin
  if found is null then
    raise exception using errcode = 'undefined_object', message = format('role "%s" does not exist', left(name, 80)),
      detail = format('It is the %s.', argument), hint = 'An administrator creates it: create role … login.';
  end if;
  return found;
end $$;

create or replace function rafiki._interval_named(argument text, value text) returns interval
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  return value::interval;
exception when data_exception then
  raise exception using errcode = 'invalid_parameter_value', message = format('%s is not a time span', argument),
    detail = format('It is "%s".', left(value, 80)), hint = 'Write it as an interval of SQL: 10 min.';
end $$;

create or replace function rafiki._time_named(argument text, value text) returns timestamptz
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  return value::timestamptz;
exception when data_exception then
  raise exception using errcode = 'invalid_parameter_value', message = format('%s is not a date', argument),
    detail = format('It is "%s".', left(value, 80)), hint = 'Write it by ISO 8601: 2026-01-31, or 2026-01-31T12:00:00Z.';
end $$;

-- A list of texts in JSON; null if it is not given.
create or replace function rafiki._texts(list jsonb) returns text[]
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select case when jsonb_typeof(list) = 'array' then array(select jsonb_array_elements_text(list)) end $$;

create or replace function rafiki._http_me(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select json_build_object('role', current_user, 'roles', coalesce((
    select json_agg(r.rolname order by r.rolname) from pg_roles r where r.rolname <> current_user and pg_has_role(r.oid, 'usage')), '[]'))
$$;

-- Whether a schema is of Rafiki or of Postgres: what it has are no data sets.
create or replace function rafiki._is_internal_schema(schema name) returns boolean
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select schema in ('information_schema', 'rafiki', 'rafiki_reader', 'rafiki_dblink') or schema like e'pg\\_%' $$;

create or replace function rafiki._http_datasets(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(d)
  from (
    select format('%I.%I', n.nspname, c.relname) as name, n.nspname as schema, c.relname as table,
      case when c.relkind in ('v', 'm') then 'view' else 'table' end as kind, pg_has_role(c.relowner, 'usage') as owned,
      c.reltuples as rows, obj_description(c.oid, 'pg_class') as comment,
      coalesce((select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) order by a.attnum)
       from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         and has_column_privilege(c.oid, a.attnum, 'select')), '[]') as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and not rafiki._is_internal_schema(n.nspname)
      and has_schema_privilege(n.oid, 'usage') and has_any_column_privilege(c.oid, 'select')
      and (args ->> 'dataset' is null or c.oid = (select rafiki._relation_named('dataset', args ->> 'dataset')))
    order by n.nspname, c.relname
    limit (args ->> 'limit')::int offset (args ->> 'offset')::int) d
$$;

-- The study that is asked for, with the arguments of rafiki_train.
create or replace function rafiki._requested(args jsonb) returns rafiki.study
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select r from rafiki._request(
    args ->> 'task', rafiki._relation_named('source', args ->> 'source'), args ->> 'model', (args ->> 'target')::name, rafiki._texts(args -> 'features')::name[],
    rafiki._texts(args -> 'families'), coalesce(args -> 'knobs', '{}'), coalesce(args ->> 'advisor', 'bayesian'),
    (args ->> 'collaborative')::boolean, (args ->> 'max_trials')::int, rafiki._interval_named('max_time', args ->> 'max_time'),
    (args ->> 'target_score')::float8, (args ->> 'validation')::float8, (args ->> 'seed')::int, (args ->> 'deploy')::boolean,
    coalesce(args ->> 'on_bad_row', 'error'),
    rafiki._relation_named('validation_source', args ->> 'validation_source'),
    (args ->> 'validation_split')::name, rafiki._time_named('validation_after', args ->> 'validation_after'), args ->> 'metric', args ->> 'class_weights',
    (args ->> 'replace')::boolean, (args ->> 'workers_per_trial')::int, args ->> 'ensemble', args ->> 'start') r
$$;

create or replace function rafiki._http_train(args jsonb) returns setof json
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  study constant bigint := rafiki._train(rafiki._requested(args));
begin
  return query select * from rafiki._http_studies(jsonb_build_object('study', study));
end $$;

-- With the rights of the caller, as all calls.
create or replace function rafiki._http_check(args jsonb) returns setof json
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select row_to_json(c) from rafiki._check(rafiki._requested(args)) c $$;

-- The caller's studies, or one of them.
create or replace function rafiki._http_studies(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(f)
  from (
    select s.id as study, v.model, s.task, c.oid::regclass::text as source, v.state,
      s.paused_at is not null as paused, v.done, v.running, v.total, v.best, s.metric, s.version,
      v.eta::text, v.notice, v.plan::text, case when s.error is not null then json_build_object('code', s.error ->> 'sqlstate',
        'message', s.error ->> 'message', 'detail', s.error ->> 'detail', 'hint', s.error ->> 'hint') end as error,
      s.created_at, s.started_at, s.ended_at
    from rafiki.study s join rafiki.studies v on v.study = s.id
      left join pg_class c on c.oid = s.source and has_schema_privilege(c.relnamespace, 'usage')
    where (args ->> 'study' is null or s.id = (args ->> 'study')::bigint)
      and (args ->> 'model' is null or s.model = args ->> 'model') and (args ->> 'state' is null or s.state = args ->> 'state')
    order by s.id desc
    limit (args ->> 'limit')::int offset (args ->> 'offset')::int) f
$$;

-- cancel, finish, pause or resume, or extend by more
create or replace function rafiki._http_steer(args jsonb) returns setof json
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  study constant bigint := args ->> 'study';
  step constant text := args ->> 'step';
begin
  if step is null or step not in ('cancel', 'finish', 'pause', 'resume', 'extend') then
    raise exception using errcode = 'invalid_parameter_value', message = 'a study can be cancelled, finished, paused, resumed and extended',
      detail = format('It was to be: %s.', left(step, 80)), hint = 'The step is one of cancel, finish, pause, resume and extend.';
  end if;
  return query select json_build_object('done', case step
    when 'extend' then rafiki._extend(study, rafiki._interval_named('more', args ->> 'more'))
    else rafiki._steer(study, step) end);
end $$;

-- The trials of a study by number, or the best first; or one of them.
create or replace function rafiki._http_trials(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(f)
  from (
    select t.study_id as study, t.number as trial, t.family, t.state, t.attempt, t.epoch, t.epochs, t.score, t.seconds, p.number as parent,
      t.warm_share, f.number as refits, t.knobs, t.error ->> 'message' as error, t.started_at, t.ended_at
    from rafiki.trial t left join rafiki.trial p on p.id = t.parent_id left join rafiki.trial f on f.id = t.refits
    where t.study_id = (args ->> 'study')::bigint and (args ->> 'trial' is null or t.number = (args ->> 'trial')::int)
      and (args ->> 'state' is null or t.state = args ->> 'state')
    order by case when args ->> 'order' = 'best' then t.score end desc nulls last, t.number
    limit (args ->> 'limit')::int offset (args ->> 'offset')::int) f
$$;

-- What the trials of a study, or one of them, measured after each epoch.
create or replace function rafiki._http_reports(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(f)
  from (
    select t.number as trial, r.epoch, r.step, r.loss, r.score, r.seconds, r.created_at as at
    from rafiki.report r join rafiki.trial t on t.id = r.trial_id
    where t.study_id = (args ->> 'study')::bigint and (args ->> 'trial' is null or t.number = (args ->> 'trial')::int)
    order by t.number, r.epoch
    limit (args ->> 'limit')::int offset (args ->> 'offset')::int) f
$$;

create or replace function rafiki._http_workers(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select row_to_json(w) from rafiki.workers w limit 10000 $$;

create or replace function rafiki._http_tasks(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select json_build_object('task', t.name, 'input', t.input, 'output', t.output, 'families', coalesce((
    select json_agg(distinct k.family order by k.family) from rafiki._knobs(t.name) k), '[]'))
  from rafiki.task t order by t.name
$$;

create or replace function rafiki._http_knobs(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select row_to_json(k) from rafiki._knobs(args ->> 'task') k $$;

-- A caller's tokens, without those of roles whose rights it has.
create or replace function rafiki._http_tokens(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select json_build_object('name', t.name, 'only_predicts', t.only_predicts, 'created_at', t.created_at, 'expires_at', t.expires_at, 'used_at', t.used_at)
  from rafiki.tokens t where t.role = current_user order by t.name
$$;

create or replace function rafiki._http_revoke_token(args jsonb) returns setof json
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._revoke_token(args ->> 'name', null);
  return query select json_build_object('done', true);
end $$;
