-- All of it is rafiki_owner's, under CREATE EXTENSION too; what this version has no more is dropped; the API goes to its schema.
do $$
declare
  home constant regnamespace := current_setting('rafiki.home')::regnamespace;
  statement text;
begin
  if to_regproc('rafiki.rafiki_train') is null then
    raise exception using errcode = 'invalid_transaction_state', message = 'the script has to run in one transaction',
      hint = 'Run it with: psql -1 -v ON_ERROR_STOP=1 -f …';
  end if;
  alter schema rafiki owner to rafiki_owner; -- first: whoever is given a function has to be allowed to create in its schema
  alter schema rafiki_reader owner to rafiki_owner;
  for statement in
    select format('drop routine %s', p.oid::regprocedure) from pg_proc p
    where p.pronamespace = 'rafiki'::regnamespace and p.xmin <> pg_current_xact_id()::xid
    union all
    select format('alter routine %s owner to rafiki_owner', p.oid::regprocedure) from pg_proc p
    where p.pronamespace = 'rafiki'::regnamespace and p.xmin = pg_current_xact_id()::xid
    union all
    select format('alter table %s owner to rafiki_owner', c.oid::regclass) from pg_class c
    where c.relnamespace = 'rafiki'::regnamespace and c.relkind in ('r', 'v')
    union all
    select format('alter type %s owner to rafiki_owner', t.oid::regtype) from pg_type t join pg_class c on c.oid = t.typrelid
    where t.typnamespace = 'rafiki'::regnamespace and c.relkind = 'c'
    union all
    select 'alter server rafiki_bridge owner to rafiki_owner' from pg_foreign_server where srvname = 'rafiki_bridge'
    union all
    -- of a role that asks no more: its password would stay in dumps
    select format('drop user mapping for %s server rafiki_bridge', m.umuser::regrole) from pg_user_mappings m
    where m.srvname = 'rafiki_bridge' and m.umuser <> 'rafiki_owner'::regrole
  loop
    execute statement;
  end loop;
  for statement in
    select format('alter routine %s set schema %s', p.oid::regprocedure, home) from pg_proc p
    where p.pronamespace = 'rafiki'::regnamespace and p.proname like 'rafiki\_%' and home <> 'rafiki'::regnamespace
  loop
    execute statement;
  end loop;
end $$;
