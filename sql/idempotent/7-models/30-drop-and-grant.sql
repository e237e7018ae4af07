-- Dropping models and their versions, and granting their use.

-- Detaches a model from a table if the caller may. The triggers
-- on tables of other roles stay, and no longer do anything.
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
  -- attachments of dropped tables are deleted within seconds
  from rafiki.attachment a join pg_class t on t.oid = a.target
  left join rafiki._attached(a.target, a.id::text) c on true where a.model_id = own.id;
  if dependent is not null and cascade is not true then
    raise exception using errcode = 'dependent_objects_still_exist',
      message = format('cannot drop model "%s" because tables are attached to it', model_name), detail = dependent,
      hint = format('Detach it with rafiki_detach, or: select rafiki_drop_model(%L, cascade => true);', model_name);
  end if;
  perform rafiki._detach_own(a.target, a.id) from rafiki.attachment a where a.model_id = own.id;
  perform rafiki._delete_model(own.key);
end $$;

drop function if exists rafiki_drop_model(text); -- of 0.1.0: with both, a call without cascade would be ambiguous
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
  42501: the model belongs to another role
  55006: a study is training it
  2BP01: tables are attached to it, without cascade
  40001: the model has changed since the transaction began

Example:
  select rafiki_drop_model('reviews_sentiment', cascade => true);$$;

-- What a version is needed for now; null if nothing.
create or replace function rafiki._version_use(version_id bigint) returns text
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (select case min(d.state) when 'ready' then 'It is deployed.' else 'It is being loaded.' end
     from rafiki.deployment d where d.version_id = _version_use.version_id and d.state in ('ready', 'loading') having count(*) > 0),
    (select format('Study %s starts from it.', min(s.id))
     from rafiki.study s where s.start_version = _version_use.version_id and s.state in ('queued', 'running') having count(*) > 0))
$$;

-- Deletes a version that nothing needs; otherwise returns what it is needed for.
create or replace function rafiki._delete_version(owner_key uuid, version int) returns text
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  held rafiki.model := rafiki._hold_model(owner_key);
  used text;
begin
  select rafiki._version_use(v.id) into used from rafiki.model_version v where v.model_id = held.id and v.version = _delete_version.version;
  if used is null then
    update rafiki.model m set dropped_version = greatest(m.dropped_version, _delete_version.version) where m.id = held.id;
    delete from rafiki.model_version v where v.model_id = held.id and v.version = _delete_version.version;
  end if;
  return used;
end $$;

create or replace function rafiki._drop_version(model_name text, version int) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record := rafiki._hold_own_model(model_name);
  used text;
begin
  perform rafiki._check_version(own.id, version);
  used := rafiki._delete_version(own.key, version);
  if used is not null then
    raise exception using errcode = 'object_in_use', message = format('version %s of model "%s" is in use', version, model_name), detail = used,
      hint = case when used like 'Study%' then 'Wait for the study, or stop it with: rafiki_cancel(study).'
                  else format('Deploy another version first with rafiki_deploy, or: select rafiki_undeploy(%L);', model_name) end;
  end if;
end $$;

create or replace function rafiki_drop_version(model text, version int) returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._drop_version(model, version) $$;

comment on function rafiki_drop_version(text, int) is $$Drops a version of a model. Its number is not given again. Its weights are deleted within minutes, as far as no
other version has them; its study stays, see rafiki_drop_study. The quota kept_versions drops old versions of all models by itself.

Arguments:
  model: one of your models
  version: its number, as rafiki.models shows it

Result: nothing

Errors:
  those of rafiki_deploy
  55006: it is deployed, or being loaded, or an open study starts from it

Example:
  select rafiki_drop_version(v.model, v.version) from (
    select model, version from rafiki.models
    where model = 'reviews_sentiment' and deployment is distinct from 'ready' order by version desc offset 5) v;$$;

-- Drops the versions of all models beyond those that the quota kept_versions allows,
-- the newest staying, and those that are needed. For the coordinator. Returns how many.
create or replace function rafiki._drop_old_versions() returns int
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  kept constant bigint := (select q.value from rafiki.quota q where q.name = 'kept_versions');
  dropped int := 0;
  excess record;
begin
  for excess in
    select v.id, v.model_id
    from (select o.id, o.model_id, row_number() over (partition by o.model_id order by o.version desc) as place from rafiki.model_version o) v
    where v.place > greatest(kept, 1) and kept is not null
  loop
    -- against its deployment meanwhile
    perform from rafiki.model m where m.id = excess.model_id for no key update skip locked;
    if found then
      delete from rafiki.model_version v where v.id = excess.id and rafiki._version_use(v.id) is null;
      dropped := dropped + case when found then 1 else 0 end;
    end if;
  end loop;
  return dropped;
end $$;

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
  22004: a name is null

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

comment on function rafiki_revoke(text, regrole) is $$Revokes what rafiki_grant granted.

Arguments:
  model: one of your models
  role: the role

Result: false if the role had no grant

Errors:
  those of rafiki_grant

Example:
  select rafiki_revoke('reviews_sentiment', 'bob');$$;
