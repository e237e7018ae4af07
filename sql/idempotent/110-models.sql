-- What a model's owner does with it. Serving loads and unloads as these rows change; a new version takes over only when it
-- has been loaded.

-- A model of the caller's own and the key that proves it: only its owner can see that.
create or replace function rafiki._own_model(model_name text, out id bigint, out owner regrole, out key uuid)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_given('model', model_name is not null);
  select m.id, m.owner, o.key #>> '{}' into id, owner, key
  from rafiki.model m left join rafiki.model_ownership o on o.id = m.id where m.name = model_name;
  if id is null then
    raise exception using errcode = 'undefined_object', message = format('model "%s" does not exist', model_name),
      detail = 'Or it belongs to another role that has not granted it to you.',
      hint = format('Models that you can use, nearest name first: %s.',
                    (select rafiki._nearest(model_name, array_agg(name)) from rafiki.model));
  elsif key is null then
    raise exception using errcode = 'insufficient_privilege',
      message = format('must be owner of model "%s"', model_name),
      detail = format('It belongs to role %s.', owner), hint = 'A grant lets you predict with it, no more.';
  end if;
end $$;

-- Whether a key gives the right to change a model, which then is held against other changes until the end of the transaction; those of
-- its keys are left out meanwhile (renewKeys). The second look sees keys that were changed before.
create or replace function rafiki._is_held(owner_key uuid) returns boolean
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from rafiki.model_key k join rafiki.model m on m.id = k.model_id where k.owner_key = _is_held.owner_key
  for no key update of m;
  return exists (select from rafiki.model_key k where k.owner_key = _is_held.owner_key);
end $$;

-- As _own_model(), of a model that is about to be changed: its key holds until that is done.
create or replace function rafiki._hold_own_model(model_name text, out id bigint, out owner regrole, out key uuid)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  for attempt in 1..5 loop
    select o.id, o.owner, o.key into id, owner, key from rafiki._own_model(model_name) o;
    if rafiki._is_held(key) then
      return;
    end if;
    exit when current_setting('transaction_isolation') in ('repeatable read', 'serializable');
  end loop;
  raise exception using errcode = 'serialization_failure', message = format('model "%s" has changed since this transaction began', model_name),
    hint = 'Begin the transaction again.';
end $$;

create or replace function rafiki._make_keys() returns trigger
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_relid = 'rafiki.model'::regclass then
    insert into rafiki.model_key (model_id) values (new.id) on conflict do nothing;
  else
    insert into rafiki.study_key (study_id) values (new.id) on conflict do nothing;
  end if;
  return null;
end $$;

create or replace trigger make_keys after insert on rafiki.model
  for each row execute function rafiki._make_keys();
create or replace trigger make_keys after insert on rafiki.study
  for each row execute function rafiki._make_keys();

-- Stops where a study trains a model.
create or replace function rafiki._check_no_training(model text) returns void
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  training constant bigint := (
    select s.id from rafiki.study s where s.model = _check_no_training.model and s.state in ('queued', 'running'));
begin
  if training is not null then
    raise exception using errcode = 'object_in_use', message = format('model "%s" is in training', model),
      detail = format('By study %s.', training), hint = format('Stop it first with: select rafiki_cancel(%s);', training);
  end if;
end $$;

-- Stops where there is no such role: any number is a regrole.
create or replace function rafiki._check_role(role regrole) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_given('role', role is not null);
  if not exists (select from pg_roles r where r.oid = role) then
    raise exception using errcode = 'undefined_object', message = format('role %s does not exist', role),
      hint = e'Give the name of a role: \\du lists them.';
  end if;
end $$;

-- The model that a key gives the right to change, locked against other changes of it.
create or replace function rafiki._hold_model(owner_key uuid) returns rafiki.model
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  held rafiki.model;
begin
  select m.* into held from rafiki.model_key k join rafiki.model m on m.id = k.model_id where k.owner_key = _hold_model.owner_key
  for no key update of m;
  if not found then
    raise exception using errcode = 'undefined_object', message = 'the model is gone, or the key is not its owner''s',
      hint = 'Call rafiki_deploy and the like, which look it up; or again: it changes when somebody has lost a right.';
  end if;
  return held;
end $$;

create or replace function rafiki._retire(owner_key uuid, states text[]) returns boolean
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  held rafiki.model := rafiki._hold_model(owner_key);
begin
  update rafiki.deployment d set state = 'retired', retired_at = now()
  where d.model_id = held.id and d.state = any (states) and d.state in ('loading', 'ready');
  return found;
end $$;

-- Puts a version in line for loading; one that was still being loaded makes way.
create or replace function rafiki._set_deployment(owner_key uuid, version int) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  held rafiki.model := rafiki._hold_model(owner_key);
begin
  delete from rafiki.deployment d where d.model_id = held.id and d.state = 'loading';
  insert into rafiki.deployment (model_id, version_id)
  select held.id, v.id from rafiki.model_version v
  where v.model_id = held.id and v.version = _set_deployment.version
    and not exists (select from rafiki.deployment d where d.version_id = v.id and d.state = 'ready');
end $$;

create or replace function rafiki._delete_model(owner_key uuid) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  held rafiki.model := rafiki._hold_model(owner_key);
begin
  delete from rafiki.model m where m.id = held.id;
  delete from rafiki.attachment a using (
    select f.id from rafiki.attachment f where f.model_id = held.id for update skip locked) free -- the rest: rafiki._drop_readers()
  where a.id = free.id;
end $$;

create or replace function rafiki._add_grant(owner_key uuid, role regrole) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  held rafiki.model := rafiki._hold_model(owner_key);
begin
  insert into rafiki.model_grant (model_id, role, owner) values (held.id, role, held.owner) on conflict do nothing;
end $$;

-- The model gets new keys: who has lost the grant may still know the old ones.
create or replace function rafiki._remove_grant(owner_key uuid, role regrole) returns boolean
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  held rafiki.model := rafiki._hold_model(owner_key);
begin
  delete from rafiki.model_grant g where g.model_id = held.id and g.role = _remove_grant.role;
  if not found then
    return false;
  end if;
  update rafiki.model_key k set key = gen_random_uuid(), owner_key = gen_random_uuid() where k.model_id = held.id;
  return true;
end $$;

-- Queues one version of the caller's own model for loading.
create or replace function rafiki._deploy(model_name text, number int) returns int
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record := rafiki._hold_own_model(model_name);
  other text;
begin
  perform rafiki._check_given('version', number is not null);
  select s.task into other from rafiki.model m join rafiki.model_version v on v.model_id = m.id join rafiki.study s on s.id = v.study_id
  where m.id = own.id and v.version = number and s.task <> m.task;
  if other is not null then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('version %s of model "%s" is for another task', number, model_name),
      detail = format('It is for %s; the model has been replaced by one for %s.', other, (
        select m.task from rafiki.model m where m.id = own.id)),
      hint = 'Train again for that task, with replace => true or under another name.';
  elsif not exists (select from rafiki.model_version v where v.model_id = own.id and v.version = number) then
    raise exception using errcode = 'undefined_object',
      message = format('model "%s" has no version %s', model_name, number),
      hint = format('Its versions: %s.', (select string_agg(v.version::text, ', ' order by v.version)
                                          from rafiki.model_version v where v.model_id = own.id));
  end if;
  perform rafiki._set_deployment(own.key, number);
  return number;
end $$;

create or replace function rafiki_deploy(model text, version int) returns int
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._deploy(model, version) $$;

comment on function rafiki_deploy(text, int) is $$Lets a version of a model answer. It takes over once a server has loaded it; until then the version of before answers.
See rafiki.deployments.

Arguments:
  model: one of your models
  version: its number, as rafiki.models shows it

Result: the number of the version

Errors:
  42704: no such model, or no such version
  42501: the model is another's
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

comment on function rafiki_deploy(bigint) is $$Lets the version that a study made answer for its model: for studies with deploy => false, and for versions that were
not deployed because they scored worse.

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
  present int := (select max(v.version) from rafiki.deployment d join rafiki.model_version v on v.id = d.version_id
                  where d.model_id = own.id and d.state = 'ready');
  previous int := (select max(v.version) from rafiki.model_version v
                   where v.model_id = own.id and v.version < present);
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

comment on function rafiki_rollback(text) is $$Deploys the version before the one that answers now.

Arguments:
  model: one of your models

Result: the number of the version

Errors:
  those of rafiki_deploy
  55000: there is no version to go back to

Example:
  select rafiki_rollback('reviews_sentiment');$$;

-- Detaches a model from a table, as far as that is the caller's to do. Triggers of others' tables stay, and do nothing any more.
create or replace function rafiki._detach_own(target regclass, attachment bigint) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  output constant name := (select a.output from rafiki._attached(target, attachment::text) a);
begin
  if output is not null and pg_has_role((select c.relowner from pg_class c where c.oid = target), 'usage') then
    perform rafiki._detach(target, output);
  end if;
end $$;

create or replace function rafiki._drop_model(model_name text, cascade boolean) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record := rafiki._hold_own_model(model_name);
  dependent text;
begin
  perform rafiki._check_no_training(model_name);
  select string_agg(format('Column %s of table %s is filled by it.', coalesce(quote_ident(c.output), '(dropped)'), a.target), ' '
                    order by a.id) into dependent
  from rafiki.attachment a join pg_class t on t.oid = a.target -- those of dropped tables are forgotten within seconds
  left join rafiki._attached(a.target, a.id::text) c on true where a.model_id = own.id;
  if dependent is not null and cascade is not true then
    raise exception using errcode = 'dependent_objects_still_exist',
      message = format('cannot drop model "%s" because tables are attached to it', model_name), detail = dependent,
      hint = format('Detach it with rafiki_detach, or: select rafiki_drop_model(%L, cascade => true);', model_name);
  end if;
  perform rafiki._detach_own(a.target, a.id) from rafiki.attachment a where a.model_id = own.id;
  perform rafiki._delete_model(own.key);
end $$;

drop function if exists rafiki_drop_model(text); -- of 0.1.0: a call without cascade would mean either
create or replace function rafiki_drop_model(model text, cascade boolean default false) returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._drop_model(model, cascade) $$;

comment on function rafiki_drop_model(text, boolean) is $$Drops a model with all its versions and deployments. Its studies and trials stay.

Arguments:
  model: one of your models
  cascade: detaches the tables that it is attached to

Result: nothing

Errors:
  42704: no such model
  42501: the model is another's
  55006: a study trains it
  2BP01: tables are attached to it, without cascade
  40001: the model has changed since the transaction began

Example:
  select rafiki_drop_model('reviews_sentiment', cascade => true);$$;

create or replace function rafiki._grant(model_name text, role regrole) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record := rafiki._hold_own_model(model_name);
begin
  perform rafiki._check_role(role);
  perform rafiki._add_grant(own.key, role);
end $$;

create or replace function rafiki_grant(model text, role regrole) returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._grant(model, role) $$;

comment on function rafiki_grant(text, regrole) is $$Lets a role and its members predict with a model and see its versions.

Arguments:
  model: one of your models
  role: the role

Result: nothing

Errors:
  those of rafiki_deploy
  42704: no such role
  22004: a null where a name is wanted

Example:
  select rafiki_grant('reviews_sentiment', 'bob');$$;

create or replace function rafiki._revoke(model_name text, role regrole) returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record := rafiki._hold_own_model(model_name);
begin
  perform rafiki._check_given('role', role is not null);
  return rafiki._remove_grant(own.key, role);
end $$;

create or replace function rafiki_revoke(model text, role regrole) returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._revoke(model, role) $$;

comment on function rafiki_revoke(text, regrole) is $$Takes back what rafiki_grant gave.

Arguments:
  model: one of your models
  role: the role

Result: false if the role had no grant

Errors:
  those of rafiki_grant

Example:
  select rafiki_revoke('reviews_sentiment', 'bob');$$;

create or replace function rafiki._knobs(task text)
returns table (family text, knob text, grp text, kind text, domain text, initial text)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_task(task);
  return query
    select f.name, k.key, k.value ->> 'group', k.value ->> 'kind', rafiki._domain_text(k.value), k.value ->> 'initial'
    from rafiki.family f, jsonb_each(f.knobs) k
    where f.task = _knobs.task
    order by f.name, array_position(array['preprocessing', 'architecture', 'training'], k.value ->> 'group'), k.key;
end $$;

create or replace function rafiki_knobs(task text)
returns table (family text, knob text, grp text, kind text, domain text, initial text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._knobs(task) $$;

comment on function rafiki_knobs(text) is $$The model families for a task and their knobs (hyperparameters): what knobs => of rafiki_train takes.

Arguments:
  task: rafiki.task lists them

Result: of each knob its family, name, group (grp: preprocessing, architecture or training), kind, domain, and the value
that works without tuning

Errors:
  42704: no such task

Example:
  select * from rafiki_knobs('sentiment');$$;
