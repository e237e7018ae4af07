-- Drops the functions of an earlier version that nothing depends on, because arguments and results may have
-- changed. API functions that are in use, for example in views of users, are moved back into schema rafiki and
-- replaced later; see prologue.sql. Objects of other owners in schema rafiki, such as an extension, are left alone.
do $$
declare
  known record;
begin
  for known in
    select p.oid::regprocedure as name, case when used.is then 'alter routine %s set schema rafiki' else 'drop routine %s' end as statement
    from pg_proc p join pg_namespace n on n.nspname = 'rafiki' and n.nspowner = p.proowner
    cross join lateral (select exists (
      select from pg_depend d where d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid) as is) used
    where (p.pronamespace = n.oid and not used.is
      or p.pronamespace = current_setting('rafiki.home')::regnamespace and p.pronamespace <> n.oid
         and p.proname like e'rafiki\\_%')
      and not exists (
        select from pg_depend d join pg_extension e on e.oid = d.refobjid
        where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.refclassid = 'pg_extension'::regclass and d.deptype = 'e'
          and e.extname <> 'rafiki')
  loop
    execute format(known.statement, known.name);
  end loop;
end $$;
