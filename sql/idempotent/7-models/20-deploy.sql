-- Choosing the version of a model that answers.

-- Queues a version of the caller's model for loading.
create or replace function rafiki._deploy(model_name text, number int) returns int
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record := rafiki._hold_own_model(model_name);
  other text;
begin
  perform rafiki._check_version(own.id, number);
  select coalesce(s.task, v.task, v.imported_as) into other
  from rafiki.model m join rafiki.model_version v on v.model_id = m.id left join rafiki.study s on s.id = v.study_id
  where m.id = own.id and v.version = number and coalesce(s.task, v.task, v.imported_as) <> m.task;
  if other is not null then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('version %s of model "%s" is for another task', number, model_name),
      detail = format('It is for %s; the model has been replaced by one for %s.', other, (
        select m.task from rafiki.model m where m.id = own.id)),
      hint = 'Train again for that task, with replace => true or under another name.';
  end if;
  perform rafiki._set_deployment(own.key, number);
  return number;
end $$;

create or replace function rafiki_deploy(model text, version int) returns int
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._deploy(model, version) $$;

comment on function rafiki_deploy(text, int) is $$Deploys a version of a model. It answers as soon as a server has loaded it; until then the previous version answers. See
rafiki.deployments.

Arguments:
  model: one of your models
  version: its number, as rafiki.models shows it

Result: the number of the version

Errors:
  42704: no such model, or no such version
  42501: the model belongs to another role
  55000: the version is for another task
  40001: the model has changed since the transaction began

Example:
  select rafiki_deploy('reviews_sentiment', 1);$$;

create or replace function rafiki._deploy_study(study bigint) returns int
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  made record;
  study_state text := (select s.state from rafiki.study s where s.id = study);
begin
  perform rafiki._check_given('study', study is not null);
  select m.name, v.version into made
  from rafiki.model_version v join rafiki.model m on m.id = v.model_id where v.study_id = study;
  if found then
    return rafiki._deploy(made.name, made.version);
  elsif study_state is null then
    perform rafiki._raise_no_study(study);
  end if;
  raise exception using errcode = 'object_not_in_prerequisite_state',
    message = format('study %s has no version to deploy', study),
    detail = format('It is %s.', study_state),
    hint = case when study_state in ('queued', 'running') then format('Wait for it with: select rafiki_wait(%s);', study)
                else 'Train again with rafiki_train; the view rafiki.studies says how this one ended.' end;
end $$;

create or replace function rafiki_deploy(study bigint) returns int
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._deploy_study(study) $$;

comment on function rafiki_deploy(bigint) is $$Deploys the version that a study made: for studies with deploy => false, and for versions that were not deployed because
they scored worse.

Arguments:
  study: its number

Result: the number of the version

Errors:
  those of rafiki_deploy
  55000: the study has made no version

Example:
  select rafiki_deploy(1);$$;

create or replace function rafiki._undeploy(model_name text) returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record := rafiki._hold_own_model(model_name);
begin
  return rafiki._retire(own.key, array['loading', 'ready']);
end $$;

create or replace function rafiki_undeploy(model text) returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._undeploy(model) $$;

comment on function rafiki_undeploy(text) is $$Takes a model out of service; its versions stay, and rafiki_deploy(model, version) brings one back.

Arguments:
  model: one of your models

Result: false if it was not deployed

Errors:
  those of rafiki_deploy

Example:
  select rafiki_undeploy('reviews_sentiment');$$;

create or replace function rafiki._rollback(model_name text) returns int
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record := rafiki._hold_own_model(model_name);
  present int := (select v.version from rafiki.deployment d join rafiki.model_version v on v.id = d.version_id
                  -- which may still be loading
                  where d.model_id = own.id and d.state in ('ready', 'loading') order by d.id desc limit 1);
  previous int := (select max(v.version) from rafiki.model_version v
                   where v.model_id = own.id and v.version < present
                     and exists (select from rafiki.deployment d where d.version_id = v.id and d.ready_at is not null));
begin
  if previous is null then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('model "%s" has no version to go back to', model_name),
      detail = coalesce(format('Version %s is deployed.', present), 'It is not deployed.'),
      hint = 'Deploy any version with: select rafiki_deploy(model, version); the view rafiki.models lists them.';
  end if;
  return rafiki._deploy(model_name, previous);
end $$;

create or replace function rafiki_rollback(model text) returns int
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._rollback(model) $$;

comment on function rafiki_rollback(text) is $$Deploys the highest earlier version that has answered before; a version that is still loading counts as the current
one, and is not deployed.

Arguments:
  model: one of your models

Result: the number of the version

Errors:
  those of rafiki_deploy
  55000: there is no version to go back to

Example:
  select rafiki_rollback('reviews_sentiment');$$;
