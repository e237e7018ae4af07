-- Dropping models, and granting their use.

-- Detaches a model from a table if the caller may. The triggers on tables of other roles stay, and no longer do anything.
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
  from rafiki.attachment a join pg_class t on t.oid = a.target -- attachments of dropped tables are deleted within seconds
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
