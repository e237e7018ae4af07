-- Changing a model's owner, and cleaning up after dropped roles.

-- The caller must be able to SET ROLE to the new owner, as for ALTER …
-- OWNER TO, so that no role is given a model that it did not ask for.
create or replace function rafiki._set_owner(owner_key uuid, role regrole) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  held rafiki.model := rafiki._hold_model(owner_key);
  asker constant name := rafiki._session_role();
  -- up to PostgreSQL 15 every member may SET ROLE
  becoming constant text := case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
begin
  if not pg_has_role(asker, role, becoming) then
    raise exception using errcode = 'insufficient_privilege', message = format('must be able to SET ROLE %s', role),
      detail = format('You are %s.', asker), hint = 'A superuser may give a model to any role.';
  end if;
  perform rafiki._check_no_training(held.name);
  update rafiki.model m set owner = role where m.id = held.id;
  update rafiki.model_key k set key = gen_random_uuid(), owner_key = gen_random_uuid() where k.model_id = held.id;
end $$;

create or replace function rafiki._give_model(model_name text, role regrole) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record := rafiki._hold_own_model(model_name);
begin
  perform rafiki._check_role(role);
  perform rafiki._set_owner(own.key, role);
end $$;

create or replace function rafiki_set_owner(model text, role regrole) returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._give_model(model, role) $$;

comment on function rafiki_set_owner(text, regrole) is $$Gives one of your models to another role. Superusers may give any model to any role. Models of a dropped role belong to
rafiki_owner.

Arguments:
  model: one of your models
  role: a role that you may become (SET ROLE)

Result: nothing

Errors:
  those of rafiki_deploy
  42501: you may not become that role

Example:
  select rafiki_set_owner('reviews_sentiment', 'bob');$$;

-- Removes references to dropped roles. A regrole column stores an OID, and a dump writes the OID if
-- the role does not exist; in another cluster that OID may be a different role. So grants to dropped
-- roles are deleted, and what they owned goes to rafiki_owner, which only superusers can become.
create or replace function rafiki._forget_roles() returns int
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  orphans constant bigint[] := array(select s.id from rafiki.study s where not exists (select from pg_roles r where r.oid = s.owner));
  forgotten int;
begin
  delete from rafiki.model_grant g where not exists (select from pg_roles r where r.oid = g.role);
  get diagnostics forgotten = row_count;
  delete from rafiki.import i where not exists (select from pg_roles r where r.oid = i.owner);
  delete from rafiki.encoder_grant g where not exists (select from pg_roles r where r.oid = g.role);
  with orphan as (
    update rafiki.model m set owner = 'rafiki_owner'::regrole
    where not exists (select from pg_roles r where r.oid = m.owner) returning m.id
  ), rekeyed as (
    update rafiki.model_key k set key = gen_random_uuid(), owner_key = gen_random_uuid() from orphan o where k.model_id = o.id
  )
  select forgotten + count(*) into forgotten from orphan;
  delete from rafiki.trial_variant v using rafiki.trial t, rafiki.study s
  where t.id = v.trial_id and s.id = t.study_id and s.id = any (orphans) and s.ended_at is null;
  update rafiki.trial t set checkpoint_id = null, published_id = null,
    params_id = case when exists (select from rafiki.model_member m where t.params_id in (m.params_id, m.refit_params_id)) then t.params_id end,
    state = case when t.ended_at is null then 'cancelled' else t.state end, ended_at = coalesce(t.ended_at, now()),
    process_id = null, lease_until = null
  from rafiki.study s where s.id = t.study_id and s.id = any (orphans) and s.ended_at is null;
  update rafiki.study s set state = 'failed', ended_at = now(), error = jsonb_build_object(
    'sqlstate', '42704', 'message', 'the role that owned the study was dropped', 'hint', 'Train again as another role.')
  where s.id = any (orphans) and s.ended_at is null;
  update rafiki.study s set owner = 'rafiki_owner'::regrole where s.id = any (orphans);
  return forgotten + cardinality(orphans);
end $$;
