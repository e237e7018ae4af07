-- The calls of the HTTP server about models, as those of 20-calls.sql.

-- The versions of the models that the caller may use, or of one of them.
create or replace function rafiki._http_models(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(f)
  from (
    select v.model, v.version, v.task, v.owner::text, v.metric, v.score, v.low, v.high, v.classes, v.families, v.deployment, v.rule
    from rafiki.models v
    where (args ->> 'model' is null or v.model = args ->> 'model') and (args ->> 'task' is null or v.task = args ->> 'task')
    limit (args ->> 'limit')::int offset (args ->> 'offset')::int) f
$$;

create or replace function rafiki._http_deployments(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(f)
  from (
    select d.* from rafiki.deployments d where args ->> 'model' is null or d.model = args ->> 'model'
    limit (args ->> 'limit')::int offset (args ->> 'offset')::int) f
$$;

create or replace function rafiki._http_drop_model(args jsonb) returns setof json
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._drop_model(args ->> 'model', false);
  return query select json_build_object('done', true);
end $$;

create or replace function rafiki._http_drop_version(args jsonb) returns setof json
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._drop_version(args ->> 'model', (args ->> 'version')::int);
  return query select json_build_object('done', true);
end $$;

create or replace function rafiki._http_export(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select json_build_object('b64', translate(encode(rafiki._export(args ->> 'model'), 'base64'), e'\n', '')) $$;

create or replace function rafiki._http_deploy(args jsonb) returns setof json
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select json_build_object('version', rafiki._deploy(args ->> 'model', (args ->> 'version')::int)) $$;

-- The newest version, as Triton's repository does.
create or replace function rafiki._http_load(args jsonb) returns setof json
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  newest constant int := (
    select max(v.version) from rafiki.model m join rafiki.model_version v on v.model_id = m.id where m.name = args ->> 'model');
begin
  if newest is null then
    perform rafiki._explain_no_answer(args ->> 'model');
  end if;
  return query select json_build_object('version', rafiki._deploy(args ->> 'model', newest));
end $$;

create or replace function rafiki._http_rollback(args jsonb) returns setof json
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select json_build_object('version', rafiki._rollback(args ->> 'model')) $$;

create or replace function rafiki._http_undeploy(args jsonb) returns setof json
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select json_build_object('done', rafiki._undeploy(args ->> 'model')) $$;

create or replace function rafiki._http_grants(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select json_build_object('model', m.name, 'role', g.role::text)
  from rafiki.model_grant g join rafiki.model m on m.id = g.model_id
  where m.name = args ->> 'model' order by g.role::text limit 1000
$$;

create or replace function rafiki._http_grant(args jsonb) returns setof json
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._grant(args ->> 'model', rafiki._role_named('role', args ->> 'role'));
  return query select json_build_object('model', args ->> 'model', 'role', args ->> 'role');
end $$;

create or replace function rafiki._http_revoke(args jsonb) returns setof json
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select json_build_object('done', rafiki._revoke(args ->> 'model', rafiki._role_named('role', args ->> 'role'))) $$;

create or replace function rafiki._http_evaluate(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(e)
  from rafiki._evaluate(args ->> 'model', rafiki._relation_named('source', args ->> 'source'), (args ->> 'target')::name, (args ->> 'feature')::name, 0.95) e
  limit 100000
$$;

create or replace function rafiki._http_confusion(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(e)
  from rafiki._confusion(args ->> 'model', rafiki._relation_named('source', args ->> 'source'), (args ->> 'target')::name, (args ->> 'feature')::name) e
  limit 100000
$$;

create or replace function rafiki._http_class_report(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(e)
  from rafiki._report(args ->> 'model', rafiki._relation_named('source', args ->> 'source'), (args ->> 'target')::name, (args ->> 'feature')::name, 0.95) e
  limit 100000
$$;

create or replace function rafiki._http_stats(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select row_to_json(p) from rafiki.stat_predict p where p.model = args ->> 'model' $$;

-- What predicting with a model needs, and its access key.
create or replace function rafiki._http_usable_model(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select json_build_object('id', a.id, 'name', a.name, 'key', a.key #>> '{}', 'task', m.task, 'input', t.input, 'output', t.output,
    'version', v.version, 'features', v.features, 'kinds', v.kinds,
    'classBytes', coalesce((select sum(octet_length(c) + 10) from unnest(k.classes) c), 0))
  from rafiki.model_access a
    join rafiki.model m on m.id = a.id
    join rafiki.task t on t.name = m.task
    left join rafiki.deployment d on d.model_id = a.id and d.state = 'ready'
    left join rafiki.model_version v on v.id = d.version_id
    left join rafiki.version_classes k on k.id = v.id
  where a.name = args ->> 'model'
  order by d.id desc limit 1
$$;

-- Raises why a model does not answer, as for rafiki_predict.
create or replace function rafiki._http_no_answer(args jsonb) returns setof json
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._explain_no_answer(args ->> 'model');
end $$;

create or replace function rafiki._http_classes(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select json_build_object('classes', k.classes)
  from rafiki.model_version v join rafiki.version_classes k on k.id = v.id
  where v.model_id = (args ->> 'model')::bigint and v.version = (args ->> 'version')::int
$$;

-- As Triton's repository index.
create or replace function rafiki._http_repository(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select json_build_object('name', m.name, 'version', v.version::text,
    'state', case d.state when 'ready' then 'READY' when 'loading' then 'LOADING' else 'UNAVAILABLE' end,
    'reason', coalesce(d.error ->> 'message', ''))
  from rafiki.model m join rafiki.model_version v on v.model_id = m.id
    left join lateral (select e.state, e.error from rafiki.deployment e where e.version_id = v.id order by e.id desc limit 1) d on true
  where args ->> 'ready' is distinct from 'true' or d.state = 'ready'
  order by m.name, v.version limit 10000
$$;
