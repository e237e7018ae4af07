-- Wrappers of the dblink functions that are used, in whichever schema dblink is. A SQL function
-- with a parsed body is bound to the functions themselves, so renaming a schema or adding
-- functions to it cannot redirect a call. The planner inlines the wrappers, so they cost nothing.
do $$
declare
  home constant text := (select extnamespace::regnamespace::text from pg_extension where extname = 'dblink');
begin
  execute format($sql$
    create or replace function rafiki._dblink_open() returns text language sql volatile parallel safe
    return %1$s.dblink_connect('rafiki', 'rafiki_bridge') $sql$, home);
  execute format($sql$
    create or replace function rafiki._dblink_is_open() returns boolean language sql volatile parallel safe
    return ('rafiki' = any (%1$s.dblink_get_connections())) is true $sql$, home);
  execute format($sql$
    create or replace function rafiki._dblink_send(request text) returns int language sql volatile parallel safe
    return %1$s.dblink_send_query('rafiki', request) $sql$, home);
  execute format($sql$
    create or replace function rafiki._dblink_is_busy() returns boolean language sql volatile parallel safe
    return %1$s.dblink_is_busy('rafiki') operator(pg_catalog.=) 1 $sql$, home);
  -- stable, because the planner does not inline a volatile function that returns rows
  execute format($sql$
    create or replace function rafiki._dblink_fetch() returns table (s text, v text, loc text) language sql stable parallel safe
    begin atomic select t.s, t.v, t.loc from %1$s.dblink_get_result('rafiki', false) as t (s text, v text, loc text); end $sql$, home);
  execute format($sql$
    create or replace function rafiki._dblink_close() returns text language sql volatile parallel safe
    return %1$s.dblink_disconnect('rafiki') $sql$, home);
  if exists (
    select from pg_depend d join pg_proc p on p.oid = d.refobjid and p.proname like e'dblink\\_%'
    where d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_proc'::regclass
      and d.objid in (select oid from pg_proc where pronamespace = 'rafiki'::regnamespace and proname like e'\\_dblink\\_%')
      and not exists (
        select from pg_depend m join pg_extension e on e.oid = m.refobjid and e.extname = 'dblink'
        where m.classid = 'pg_proc'::regclass and m.objid = p.oid and m.refclassid = 'pg_extension'::regclass and m.deptype = 'e'))
  then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('schema %s has functions that shadow those of dblink', home),
      hint = 'Run: create schema rafiki_dblink; alter extension dblink set schema rafiki_dblink;';
  end if;
  if exists (
    select from pg_namespace n join pg_roles r on r.rolname = current_user
    where n.nspname = 'rafiki_dblink' and n.nspowner <> 'rafiki_owner'::regrole and (r.rolsuper or r.oid = n.nspowner))
  then
    alter schema rafiki_dblink owner to rafiki_owner;
  end if;
  if not has_schema_privilege('rafiki_owner', home, 'usage') then
    execute format('grant usage on schema %s to rafiki_owner', home);
  end if;
  if not has_foreign_data_wrapper_privilege('rafiki_owner', 'dblink_fdw', 'usage') then
    grant usage on foreign data wrapper dblink_fdw to rafiki_owner;
  end if;
end $$;
