-- While this script runs, it must not look up objects of other roles: an operator or a function in "public" could shadow one of pg_catalog, and
-- would run with the rights of the installing role. So the search path is pinned first, using only qualified names; its current schema is kept as
-- the schema for the API. Everything is created in schema rafiki, where no other role can create objects; 9-rights/20-ownership.sql moves the API
-- to its schema.
do $$ begin
  perform pg_catalog.set_config('rafiki.home', pg_catalog.quote_ident(pg_catalog.current_schema()), true);
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
end $$;
-- Nor must it run functions that another role has put in place of rafiki's or dblink's: schemas with the names of rafiki's, and the schema of dblink,
-- must belong to rafiki_owner, a superuser or the installing role. That is session_user, since the current role can be set for the database.
do $$
declare
  strange record;
  present text; -- the schema with the API of an earlier version
begin
  for strange in
    with owned as (
      select n.oid, n.nspname, case n.nspowner when 'pg_database_owner'::regrole then d.datdba else n.nspowner end as owner
      from pg_namespace n, pg_database d where d.datname = current_database())
    select o.nspname as schema, r.rolname as owner, o.nspname not in ('rafiki', 'rafiki_reader', 'rafiki_dblink') as is_elsewhere
    from owned o join pg_roles r on r.oid = o.owner
    where not r.rolsuper and r.rolname not in ('rafiki_owner', session_user)
      and (o.nspname in ('rafiki', 'rafiki_reader', 'rafiki_dblink') or o.oid in (
        -- a dblink that "create extension rafiki cascade" has just created is moved below
        select e.extnamespace from pg_extension e where e.extname = 'dblink'
          and e.xmin is distinct from pg_current_xact_id_if_assigned()::xid))
    order by o.nspname
  loop
    if strange.is_elsewhere then
      raise exception using errcode = 'object_not_in_prerequisite_state',
        message = format('dblink is in schema %I, which belongs to %I', strange.schema, strange.owner),
        detail = 'That role could replace its functions, which would run with the rights of rafiki_owner.',
        hint = 'Run: create schema rafiki_dblink; alter extension dblink set schema rafiki_dblink;';
    end if;
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('schema %s belongs to role %I, which could have put anything into it', strange.schema, strange.owner),
      detail = format('It must belong to rafiki_owner, to a superuser, or to the installing role, %I.', session_user),
      hint = format(case strange.schema
        when 'rafiki_dblink' then 'Look into it. Then run: drop schema rafiki_dblink cascade; or, if nothing but dblink is in it: '
          'alter schema rafiki_dblink owner to current_user;'
        else 'Look into it. Then install as %I, if you trust that role, or run: drop schema %s cascade;' end, strange.owner, strange.schema);
  end loop;
  select p.pronamespace::regnamespace::text into present
  from pg_proc p join pg_namespace n on n.nspname = 'rafiki' and n.nspowner = p.proowner where p.proname = 'rafiki_train';
  if present is not null then
    perform set_config('rafiki.home', present, true);
  elsif current_setting('rafiki.home') in ('', 'pg_catalog') then
    raise exception using errcode = 'invalid_schema_name', message = 'no schema of the search path exists for the functions of rafiki',
      hint = 'Run: set search_path = public; or name another schema for them.';
  end if;
end $$;
set local search_path = rafiki, pg_temp;
