-- Tokens: how the HTTP server acts as a role without its password. A token's function belongs to the
-- role, which created it, and makes only the calls of 20-calls.sql. See docs/decisions/0047-tokens.md.

-- What a token's function does after the check of its ticket.
create or replace function rafiki._token_calls(reader uuid, only_predicts boolean) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format('select rafiki._check_token(%L, $1); select rafiki.%I($2, $3)', reader,
                case when only_predicts then '_predicting' else '_http' end)
$$;

-- The text of a token's function, by the hash of its ticket.
create or replace function rafiki._token_body(reader uuid, ticket_hash text, only_predicts boolean) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select format('select rafiki._check_ticket(%L); ', ticket_hash) || rafiki._token_calls(reader, only_predicts) $$;

-- The token with that hash, while it is valid: its role may still log in to this database
-- and is no superuser, and its function is as it was created and belongs to that role.
-- REASSIGN OWNED changes the owner of a function: it would act as the new one.
create or replace function rafiki._live_token(token_hash text)
returns table (id bigint, owner oid, role name, reader uuid, expires_at timestamptz, used_at timestamptz)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select t.id, t.owner::oid, r.rolname, t.reader, t.expires_at, t.used_at
  from rafiki.token t
  join pg_roles r on r.oid = t.owner
  join pg_proc p on p.pronamespace = 'rafiki_reader'::regnamespace and p.proname = t.reader::text
    and p.proargtypes = rafiki._token_arguments() and p.proowner = t.owner and p.prosecdef and p.prosrc = rafiki._token_body(t.reader, t.ticket, t.only_predicts)
  where t.hash = token_hash and t.expires_at > clock_timestamp() and r.rolcanlogin and not r.rolsuper and r.rolconnlimit <> 0
    and (r.rolvaliduntil is null or r.rolvaliduntil > clock_timestamp())
    and has_database_privilege(r.oid, current_database(), 'connect')
$$;

-- Raises an error unless the proof is that of a valid token with that function.
create or replace function rafiki._check_token(reader uuid, proof text) returns void
language plpgsql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from rafiki._live_token(rafiki._ticket_hash(proof)) t where t.reader = _check_token.reader) then
    raise exception using errcode = 'invalid_authorization_specification', message = 'the token is not valid',
      detail = 'It has expired or was revoked, or its role may no longer log in.', hint = 'Create another: select rafiki_create_token(…);';
  end if;
end $$;

-- Raises an error unless tokens may stand for the role. It must be the role that has logged in: otherwise a member of
-- a role could keep its rights after the membership has ended, and code that runs as a role could make tokens for it.
create or replace function rafiki._check_token_role(asker regrole) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  found pg_roles;
begin
  select r.* into found from pg_roles r where r.oid = asker;
  if found.rolname is distinct from session_user then
    raise exception using errcode = 'insufficient_privilege', message = format('role %s has not logged in', coalesce(found.rolname, current_user)),
      detail = 'A token stands for the role of the session itself, not for one that SET ROLE or a function has changed to.',
      hint = format('Log in as %I to create it.', coalesce(found.rolname, current_user));
  elsif found.rolsuper or found.rolname in ('rafiki_owner', 'rafiki_service', 'rafiki_reader') then
    raise exception using errcode = 'insufficient_privilege', message = format('role %s has no tokens', found.rolname),
      detail = 'No token stands for a superuser, or for a role of rafiki itself.',
      hint = 'Create a role for what the token is for, and grant it what it needs: create role app login password ''…'';';
  end if;
end $$;

-- Records a token. The ticket proves who owns its function and that the caller created it, as in _enqueue().
create or replace function rafiki._add_token(name text, valid_for interval, only_predicts boolean, reader uuid, ticket text, token_hash text)
returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s' -- for an uncommitted token with the same name
as $$
declare
  most constant bigint := (select q.value from rafiki.quota q where q.name = 'tokens');
  asker constant regrole := rafiki._maker_of(reader, ticket, rafiki._token_arguments());
begin
  if asker is null then
    raise exception using errcode = 'insufficient_privilege', message = 'a token comes with a function of its own that acts for it',
      hint = 'Call rafiki_create_token, which makes it.';
  end if;
  perform rafiki._check_token_role(asker);
  perform rafiki._check_token_time(valid_for);
  if (select count(*) from rafiki.token t where t.owner = asker) >= most then
    raise exception using errcode = 'configuration_limit_exceeded', message = format('role %s has too many tokens', session_user),
      detail = format('It has %s.', most),
      hint = 'Revoke some with rafiki_revoke_token. An administrator sets the number in rafiki.quota.';
  end if;
  insert into rafiki.token (owner, name, hash, reader, ticket, only_predicts, expires_at)
  values (asker, name, token_hash, reader, rafiki._ticket_hash(ticket), only_predicts, now() + valid_for)
  on conflict do nothing;
  if not found then
    raise exception using errcode = 'duplicate_object', message = format('role %s has a token "%s"', session_user, name),
      hint = format('Choose another name, or revoke it first: select rafiki_revoke_token(%L);', name);
  end if;
exception when lock_not_available then
  raise exception using errcode = 'object_in_use', message = format('a token "%s" is being created or revoked', name),
    detail = 'By a transaction that has not been committed yet.', hint = 'Try again in a moment.';
end $$;

create or replace function rafiki._check_token_time(valid_for interval) returns void
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  days constant bigint := (select q.value from rafiki.quota q where q.name = 'token_days');
begin
  if extract(epoch from valid_for) <= 0 then
    raise exception using errcode = 'invalid_parameter_value', message = 'the time that a token is valid for must be positive',
      detail = format('It is %s.', valid_for), hint = 'Give valid_for => ''30 days''.';
  elsif extract(epoch from valid_for) > days * 86400 then
    raise exception using errcode = 'invalid_parameter_value', message = format('a token is valid for at most %s days', days),
      detail = format('It was to be valid for %s.', valid_for), hint = 'Give valid_for => ''30 days''. An administrator sets the maximum in rafiki.quota.';
  end if;
end $$;

create or replace function rafiki._create_token(name text, valid_for interval, only_predicts boolean) returns text
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  -- 366 random bits, of which SHA-256 leaves 256
  token constant text := 'rafiki_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
  reader constant uuid := gen_random_uuid();
  ticket text;
begin
  perform rafiki._check_given('name', name is not null);
  perform rafiki._check_given('valid_for', valid_for is not null);
  perform rafiki._check_given('only_predicts', only_predicts is not null);
  perform rafiki._check_token_role((select r.oid from pg_roles r where r.rolname = current_user)::regrole);
  perform rafiki._check_token_time(valid_for);
  if name !~ '^[^[:cntrl:]]{1,100}$' then
    raise exception using errcode = 'invalid_name', message = 'the name of a token has 1 to 100 characters, none of them a control character',
      hint = 'Name it after what uses it: ci.';
  end if;
  perform rafiki._check_may_create_reader(quote_ident(current_user)::regrole, format('role %s may not create tokens', current_user));
  ticket := rafiki._create_reader(reader, 'setof json volatile', rafiki._token_calls(reader, only_predicts), rafiki._token_arguments());
  perform rafiki._add_token(name, valid_for, only_predicts, reader, ticket, rafiki._ticket_hash(rafiki._ticket_hash(token)));
  return token;
end $$;

create or replace function rafiki_create_token(name text, valid_for interval default '30 days', only_predicts boolean default false) returns text
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._create_token(name, valid_for, only_predicts) $$;

comment on function rafiki_create_token(text, interval, boolean) is $$Creates a token for the HTTP server, which acts as your role without its password: Authorization: Bearer …. It is shown
once; only a hash is stored. It predicts, trains and reads what your role may, and is valid only while the role may log in. It makes and drops no
tables, makes no tokens and revokes no other one: POST and DELETE /v1/datasets/…, POST /v1/tokens and POST /v1/session answer it with 403. See
rafiki.tokens.

Arguments:
  name: what you call it: what will use it
  valid_for: how long; at most the days that rafiki.quota allows (366)
  only_predicts: whether it predicts and explains with models that your role may use, and does nothing else: for a public page or an application

Result: the token

Errors:
  42501: you are a superuser, or have not logged in as the current role, or may not create functions in rafiki_reader
  42710: you have a token of that name
  42602: the name is empty, too long or has control characters
  22023: the time is not positive, or too long
  22004: an argument is null
  53400: more tokens than rafiki.quota allows
  55006: another transaction is creating a token of that name

Example:
  select rafiki_create_token('ci', valid_for => '30 days');
  select rafiki_create_token('shop', only_predicts => true);$$;

-- The table shows no row to users. The subquery is a fence: no
-- comparison of a caller is made before the right is checked.
create or replace view rafiki.token_ownership with (security_barrier) as
select o.id, o.owner, o.name, o.key
from (select t.id, t.owner::oid, t.name, to_jsonb(t.key) as key from rafiki.token t where pg_has_role(t.owner, 'usage') offset 0) o;
comment on view rafiki.token_ownership is 'The keys of your tokens: a role that can see a key may revoke the token';

create or replace view rafiki.tokens with (security_barrier) as
select o.name, o.role, o.only_predicts, o.created_at, o.expires_at, o.used_at
from (select t.name, pg_get_userbyid(t.owner) as role, t.only_predicts, date_trunc('second', t.created_at) as created_at,
             date_trunc('second', t.expires_at) as expires_at, date_trunc('second', t.used_at) as used_at
      from rafiki.token t where pg_has_role(t.owner, 'usage') and t.expires_at > now() offset 0) o
order by o.role, o.name;
comment on view rafiki.tokens is
  'Your tokens for the HTTP server, and those of roles whose rights you have; used_at is the last use, to the minute';

-- Deletes the token with that key, and its function. A function that is locked, or running, is
-- dropped later, by _drop_readers(): without the row it does nothing. A session of the reader
-- deletes only the token that it serves: neither a leaked token nor code in its calls ends others.
create or replace function rafiki._remove_token(token_key uuid) returns boolean
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  old_reader uuid;
begin
  if session_user = 'rafiki_reader' and not exists (
    select from rafiki.token t join rafiki.reading r on r.ticket = t.ticket where t.key = token_key and r.pid = pg_backend_pid()) then
    raise exception using errcode = 'insufficient_privilege', message = 'a token can revoke only itself',
      detail = 'The token of this request is another one.', hint = 'Sign in with the password of the role to revoke its other tokens.';
  end if;
  delete from rafiki.token t where t.key = token_key returning t.reader into old_reader;
  if old_reader is null then
    return false;
  end if;
  if session_user = 'rafiki_reader' then -- in the call of a token, whose function must be the same until its end
    return true;
  end if;
  begin
    set local lock_timeout = '20ms';
    execute format('drop function if exists rafiki_reader.%I(%s)', old_reader, oidvectortypes(rafiki._token_arguments()));
  exception when others then
    null;
  end;
  return true;
exception when lock_not_available then
  raise exception using errcode = 'object_in_use', message = 'another transaction is changing the token',
    detail = 'It has not been committed yet.', hint = 'Try again in a moment.';
end $$;

create or replace function rafiki._revoke_token(token_name text, of_role regrole) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  whose constant oid := coalesce(of_role::oid, (select r.oid from pg_roles r where r.rolname = current_user));
  token_key uuid;
begin
  perform rafiki._check_given('name', token_name is not null);
  for attempt in 1..@max_attempts@ loop -- the coordinator may renew the key meanwhile
    select (o.key #>> '{}')::uuid into token_key from rafiki.token_ownership o where o.owner = whose and o.name = token_name;
    exit when token_key is null;
    if rafiki._remove_token(token_key) then
      return;
    end if;
  end loop;
  raise exception using errcode = 'undefined_object', message = format('token "%s" of role %s does not exist', token_name, pg_get_userbyid(whose)),
    detail = 'Or it belongs to a role whose rights you do not have.', hint = 'The view rafiki.tokens lists yours.';
end $$;

create or replace function rafiki_revoke_token(name text, role regrole default null) returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._revoke_token(name, role) $$;

comment on function rafiki_revoke_token(text, regrole) is $$Ends a token of rafiki_create_token: HTTP servers refuse it within five seconds of the commit.

Arguments:
  name: its name
  role: whose token it is, if you have that role's rights; default: yours

Result: nothing

Errors:
  42704: no such token of yours
  42501: the call comes with a token, which can revoke only itself
  22004: the name is null
  55006: another transaction is changing the token

Example:
  select rafiki_revoke_token('ci');$$;
