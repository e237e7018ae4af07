-- Nothing of other people's is looked up while this script runs: an operator or a function in "public" could stand in for one of
-- pg_catalog's, and would run with the rights of whoever installs. So the search path is pinned first of all, by nothing but qualified
-- names; it says, before, where the API goes. All is made in schema rafiki, where nobody else can create; 9-rights/20-ownership.sql moves the
-- API to the schema that it belongs to.
do $$ begin
  perform pg_catalog.set_config('rafiki.home', pg_catalog.quote_ident(pg_catalog.current_schema()), true);
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
end $$;
-- Nor is anything run that somebody else could have put where ours belongs: a schema of one of our names, or with dblink in it, is
-- rafiki_owner's, a superuser's, or of whoever installs. That is who has logged in: the role of the session can be set for the database.
do $$
declare
  strange record;
  present text; -- where an earlier version has its API
begin
  for strange in
    with owned as (
      select n.oid, n.nspname, case n.nspowner when 'pg_database_owner'::regrole then d.datdba else n.nspowner end as owner
      from pg_namespace n, pg_database d where d.datname = current_database())
    select o.nspname as schema, r.rolname as owner, o.nspname not in ('rafiki', 'rafiki_reader', 'rafiki_dblink') as is_elsewhere
    from owned o join pg_roles r on r.oid = o.owner
    where not r.rolsuper and r.rolname not in ('rafiki_owner', session_user)
      and (o.nspname in ('rafiki', 'rafiki_reader', 'rafiki_dblink') or o.oid in (
        -- what "create extension rafiki cascade" has just put into the way is moved below
        select e.extnamespace from pg_extension e where e.extname = 'dblink'
          and e.xmin is distinct from pg_current_xact_id_if_assigned()::xid))
    order by o.nspname
  loop
    if strange.is_elsewhere then
      raise exception using errcode = 'object_not_in_prerequisite_state',
        message = format('dblink is in schema %I, which belongs to %I', strange.schema, strange.owner),
        detail = 'He could put functions of his own into its place, which would run with the rights of rafiki_owner.',
        hint = 'Run: create schema rafiki_dblink; alter extension dblink set schema rafiki_dblink;';
    end if;
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('schema %s belongs to %I, who could have put anything into it', strange.schema, strange.owner),
      detail = format('It has to be rafiki_owner''s, a superuser''s, or of %I, who installs.', session_user),
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
    raise exception using errcode = 'invalid_schema_name', message = 'no schema of the search path is there for the functions of rafiki',
      hint = 'Run: set search_path = public; or another schema that they shall go to.';
  end if;
end $$;
set local search_path = rafiki, pg_temp;
