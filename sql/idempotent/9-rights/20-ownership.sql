-- Gives everything to rafiki_owner, also under CREATE EXTENSION; drops what this version no longer
-- has; moves the API to its schema. Objects of other extensions in these schemas are left alone.
do $$
declare
  home constant regnamespace := current_setting('rafiki.home')::regnamespace;
  before constant oid := (select nspowner from pg_namespace where nspname = 'rafiki'); -- the owner until now
  statement text;
begin
  if to_regproc('rafiki.rafiki_train') is null then
    raise exception using errcode = 'invalid_transaction_state', message = 'the script has to run in one transaction',
      hint = 'Run it with: psql -1 -v ON_ERROR_STOP=1 -f …';
  end if;
  alter schema rafiki owner to rafiki_owner; -- first, because the new owner of a function needs CREATE on its schema
  alter schema rafiki_reader owner to rafiki_owner;
  for statement in
    with strange as (
      select d.classid, d.objid from pg_depend d join pg_extension e on e.oid = d.refobjid
      where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and e.extname <> 'rafiki')
    select format('drop routine %s', p.oid::regprocedure) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'rafiki' and p.xmin <> pg_current_xact_id()::xid and p.proowner in (n.nspowner, before)
      and (p.tableoid, p.oid) not in (table strange)
    union all
    select format('alter routine %s owner to rafiki_owner', p.oid::regprocedure) from pg_proc p
    where p.pronamespace = 'rafiki'::regnamespace and p.xmin = pg_current_xact_id()::xid
      and (p.tableoid, p.oid) not in (table strange)
    union all
    select format('alter table %s owner to rafiki_owner', c.oid::regclass) from pg_class c
    where c.relnamespace = 'rafiki'::regnamespace and c.relkind in ('r', 'v') and (c.tableoid, c.oid) not in (table strange)
    union all
    select format('alter type %s owner to rafiki_owner', t.oid::regtype) from pg_type t join pg_class c on c.oid = t.typrelid
    where t.typnamespace = 'rafiki'::regnamespace and c.relkind = 'c' and (c.tableoid, c.oid) not in (table strange)
    union all
    select 'alter server rafiki_bridge owner to rafiki_owner' from pg_foreign_server where srvname = 'rafiki_bridge'
    union all
    -- of a role that no longer connects: its password would stay in dumps
    select format('drop user mapping for %s server rafiki_bridge', m.umuser::regrole) from pg_user_mappings m
    where m.srvname = 'rafiki_bridge' and m.umuser <> 'rafiki_owner'::regrole
  loop
    execute statement;
  end loop;
  for statement in
    select format('alter routine %s set schema %s', p.oid::regprocedure, home) from pg_proc p
    where p.pronamespace = 'rafiki'::regnamespace and p.proname like e'rafiki\\_%' and home <> 'rafiki'::regnamespace
  loop
    execute statement;
  end loop;
end $$;
