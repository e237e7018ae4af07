-- Operations of a model's owner. The server loads and unloads models as
-- these rows change; a new version takes over only after it has been loaded.

-- A model of the caller, and its owner key: only the owner can see that key, so it proves ownership.
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
      detail = format('It belongs to role %s.', owner), hint = 'A grant only lets you predict with it.';
  end if;
end $$;

-- Whether a key gives the right to change a model. If so, the model is locked against
-- other changes until the end of the transaction; renewKeys skips locked models. The
-- key is checked again under the lock, because it may have changed before.
create or replace function rafiki._is_held(owner_key uuid) returns boolean
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from rafiki.model_key k join rafiki.model m on m.id = k.model_id where k.owner_key = _is_held.owner_key
  for no key update of m;
  return exists (select from rafiki.model_key k where k.owner_key = _is_held.owner_key);
end $$;

-- Like _own_model(), for a model that is about to be changed: locks
-- it, so that its key stays valid until the end of the transaction.
create or replace function rafiki._hold_own_model(model_name text, out id bigint, out owner regrole, out key uuid)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  for attempt in 1..@max_attempts@ loop
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

-- Raises an error if a study is training the model.
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

-- Raises an error if the model has no such version.
create or replace function rafiki._check_version(model_id bigint, version int) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_given('version', version is not null);
  if not exists (select from rafiki.model_version v where v.model_id = _check_version.model_id and v.version = _check_version.version) then
    raise exception using errcode = 'undefined_object',
      message = format('model "%s" has no version %s', (select m.name from rafiki.model m where m.id = model_id), version),
      hint = format('Its versions: %s.', (select string_agg(v.version::text, ', ' order by v.version)
                                          from rafiki.model_version v where v.model_id = _check_version.model_id));
  end if;
end $$;

-- The number of a model's next version: none is given twice, also if versions were dropped.
create or replace function rafiki._next_version(model_id bigint) returns int
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select greatest(m.dropped_version, (select max(v.version) from rafiki.model_version v where v.model_id = m.id), 0) + 1
  from rafiki.model m where m.id = _next_version.model_id
$$;

-- Raises an error if the role does not exist, because a regrole can be any number.
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
    raise exception using errcode = 'undefined_object', message = 'the model does not exist, or the key is not its owner''s',
      hint = 'Call rafiki_deploy or a similar function, which looks up the key; it changes when a grant is revoked.';
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

-- Queues a version for loading; it replaces a version that is still loading.
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
    -- locked ones are left to rafiki._drop_readers()
    select f.id from rafiki.attachment f where f.model_id = held.id for update skip locked) free
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

-- Renews the model's keys, because the role that loses the grant may know the old ones.
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
