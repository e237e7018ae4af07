-- Removes rafiki from this database, with all its studies and models. Run as a superuser, or as a member of rafiki_owner, with
-- `rafiki uninstall` or psql -1 -v ON_ERROR_STOP=1 -f. Objects of other roles that use rafiki, such as views, are never dropped: if there are any,
-- the script lists them and changes nothing. Triggers of rafiki_attach are dropped, but the predictions stay. Roles stay, since the whole cluster
-- shares them.
do $$ begin
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
end $$;
do $$
declare
  home oid;
  others text;
  attached record;
begin
  select p.pronamespace into home from pg_proc p join pg_roles r on r.oid = p.proowner
  where p.proname = 'rafiki_train' and r.rolname = 'rafiki_owner';
  if to_regnamespace('rafiki') is null or home is null then
    raise exception using errcode = 'invalid_schema_name', message = 'rafiki is not in this database',
      detail = format('Database %s has no functions of rafiki_owner.', current_database()), hint = 'Connect to the database that it was installed in.';
  elsif not pg_has_role('rafiki_owner', 'usage') then
    raise exception using errcode = 'insufficient_privilege', message = 'this role may not remove rafiki',
      detail = format('%s is not a member of rafiki_owner, which owns it.', current_user), hint = 'Run it as a superuser, or: grant rafiki_owner to …;';
  end if;
  with ours as (
    select 'pg_proc'::regclass as class, p.oid from pg_proc p
    where p.proowner = 'rafiki_owner'::regrole
      and (p.pronamespace = 'rafiki'::regnamespace or p.pronamespace = home and p.proname like e'rafiki\\_%')
    union all
    select 'pg_class'::regclass, c.oid from pg_class c where c.relnamespace = 'rafiki'::regnamespace
    union all
    select 'pg_type'::regclass, t.oid from pg_type t where t.typnamespace = 'rafiki'::regnamespace
  ), dependent as (
    select distinct d.classid, d.objid, case d.classid
        when 'pg_rewrite'::regclass then (select w.ev_class from pg_rewrite w where w.oid = d.objid)
        when 'pg_trigger'::regclass then (select t.tgrelid from pg_trigger t
                                          where t.oid = d.objid and not exists (select from ours o where o.oid = t.tgfoid))
        when 'pg_policy'::regclass then (select p.polrelid from pg_policy p where p.oid = d.objid)
        when 'pg_constraint'::regclass then (select c.conrelid from pg_constraint c where c.oid = d.objid)
        when 'pg_attrdef'::regclass then (select a.adrelid from pg_attrdef a where a.oid = d.objid)
        when 'pg_class'::regclass then d.objid end as relation
    from pg_depend d join ours o on o.class = d.refclassid and o.oid = d.refobjid
    where d.deptype in ('n', 'a') and (d.classid, d.objid) not in (select o.class, o.oid from ours o)
  )
  select string_agg(distinct coalesce('relation ' || c.oid::regclass, 'function ' || p.oid::regprocedure), ', ') into others
  from dependent d
  left join pg_class c on c.oid = d.relation
  left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
  where coalesce(c.relnamespace, p.pronamespace) not in ('rafiki'::regnamespace, 'rafiki_reader'::regnamespace);
  if others is not null then
    raise exception using errcode = 'dependent_objects_still_exist', message = 'rafiki is still used',
      detail = format('By: %s.', others), hint = 'Drop these first, or change them not to use rafiki.';
  end if;
  for attached in
    select t.tgrelid::regclass as relation, t.tgname
    from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_class c on c.oid = t.tgrelid
    where p.pronamespace = 'rafiki'::regnamespace and c.relnamespace <> 'rafiki'::regnamespace
  loop
    raise notice 'rows of % are no longer predicted: trigger % is dropped', attached.relation, attached.tgname;
  end loop;
end $$;
set local client_min_messages = warning;
do $$
declare
  home constant oid := (select p.pronamespace from pg_proc p join pg_roles r on r.oid = p.proowner
                        where p.proname = 'rafiki_train' and r.rolname = 'rafiki_owner');
  routine regprocedure;
begin
  drop extension if exists rafiki cascade;
  for routine in
    select p.oid from pg_proc p
    where p.pronamespace = home and p.proname like e'rafiki\\_%' and p.proowner = (select r.oid from pg_roles r where r.rolname = 'rafiki_owner')
  loop
    if exists (select from pg_proc p where p.oid = routine) then -- it may have been dropped along with another one whose body calls it
      execute format('drop routine %s cascade', routine);
    end if;
  end loop;
  drop server if exists rafiki_bridge cascade;
  drop schema if exists rafiki, rafiki_reader cascade;
  -- only a dblink that rafiki installed; in another schema it was there before, or belongs to another role
  if exists (select from pg_extension e where e.extname = 'dblink' and e.extnamespace = to_regnamespace('rafiki_dblink'))
     and not exists (select from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw where w.fdwname = 'dblink_fdw')
     and (select pg_has_role(e.extowner, 'usage') from pg_extension e where e.extname = 'dblink') then
    drop extension dblink;
    drop schema rafiki_dblink restrict;
  end if;
end $$;
reset client_min_messages;
do $$ begin
  raise notice 'rafiki is removed from database %', current_database()
    using hint = 'Its roles are the cluster''s. Once no database has it: drop role rafiki_reader, rafiki_service, rafiki_owner;';
end $$;
