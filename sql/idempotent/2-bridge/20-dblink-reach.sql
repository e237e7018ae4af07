-- Checks which other roles can call dblink. Its named connection belongs to the session, not to a role: a role
-- that can call dblink could replace the connection with one to its own server. That server would receive the
-- keys and texts of every SECURITY DEFINER function that predicts in the session, and could forge the answers.

-- The dblink functions that open, use or show connections.
create or replace function rafiki._dblink_functions() returns setof regprocedure
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select p.oid::regprocedure
  from pg_extension e
  join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e' and d.classid = 'pg_proc'::regclass
  join pg_proc p on p.oid = d.objid
  where e.extname = 'dblink' and p.proname ~ '^dblink' and p.proname !~ '^dblink_(fdw_validator|build_sql_|get_pkey|current_query)'
$$;

-- Raises an error if a role can call dblink that is not trusted with it anyway. Trusted are superusers,
-- the owners of dblink and of its schema, members of rafiki_owner, and roles that may read all data.
create or replace function rafiki._check_dblink() returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  home constant text := (select e.extnamespace::regnamespace::text from pg_extension e where e.extname = 'dblink');
  reached text; -- a role that can call it
  functions text;
  grantees text;
begin
  select string_agg(distinct f.called::text, ', '), min(quote_ident(r.rolname)) into functions, reached
  from rafiki._dblink_functions() f (called)
  join pg_proc p on p.oid = f.called
  join pg_namespace n on n.oid = p.pronamespace
  join pg_roles r on has_function_privilege(r.oid, p.oid, 'execute') and has_schema_privilege(r.oid, n.oid, 'usage')
  where not r.rolsuper and r.rolname !~ '^pg_'
    and not pg_has_role(r.oid, 'rafiki_owner', 'member') and not pg_has_role(r.oid, p.proowner, 'member')
    and not pg_has_role(r.oid, n.nspowner, 'usage') and not pg_has_role(r.oid, 'pg_read_all_data', 'usage');
  if reached is null then
    return;
  end if;
  select string_agg(distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end, ', ') into grantees
  from rafiki._dblink_functions() f (called)
  join pg_proc p on p.oid = f.called, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
  where a.grantee not in (p.proowner, 'rafiki_owner'::regrole);
  raise exception using errcode = 'object_not_in_prerequisite_state',
    message = format('%s can call dblink, which is in schema %s',
                     case when 'public' = any (string_to_array(grantees, ', ')) then 'every role' else 'role ' || reached end, home),
    detail = 'A role that can call dblink can redirect a session to another server, which then receives keys and texts of other roles.',
    hint = concat(
      case when home <> 'rafiki_dblink' then
        'Move it: create schema rafiki_dblink; alter extension dblink set schema rafiki_dblink; Or revoke the right of other roles to call it: '
      else 'Revoke the right of other roles to call it: ' end,
      format('revoke execute on function %s from %s;', functions, grantees));
end $$;

-- In schema rafiki_dblink, which belongs to rafiki, the rights of other roles are revoked. A
-- dblink elsewhere is left unchanged, and _check_dblink() refuses it if other roles can call it.
do $$
declare
  called regprocedure;
  others text;
begin
  for called, others in
    select f.called, (
      select string_agg(distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end, ', ')
      from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
      where a.grantee not in (p.proowner, 'rafiki_owner'::regrole))
    from rafiki._dblink_functions() f (called) join pg_proc p on p.oid = f.called
    where pg_has_role(p.proowner, 'usage')
  loop
    execute format('grant execute on function %s to rafiki_owner', called);
    if others is not null and called in (select p.oid from pg_proc p where p.pronamespace = to_regnamespace('rafiki_dblink')) then
      execute format('revoke all on function %s from %s cascade', called, others);
    end if;
  end loop;
end $$;
