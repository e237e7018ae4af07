-- What an administrator runs once, where the role that installs rafiki may create neither roles nor extensions:
--
--   psql "$ADMIN_URL" -v ON_ERROR_STOP=1 -v installer=ROLE -v password=PASSWORD -f docs/install-managed.sql
--
-- in the database that rafiki goes into. After it nothing needs an administrator: as ROLE, `rafiki install --database-url URL`
-- installs and upgrades, and the processes log in as rafiki_service and rafiki_reader with PASSWORD.
--
-- ROLE becomes a member of rafiki_owner: it can read every model, study, key and secret of rafiki, whoever's they are. Make it a role
-- of its own that nothing else logs in as, not the application's:  create role rafiki_installer login password '…';
begin;
-- the owner of the database may have made what stands in front of pg_catalog's functions and operators
set local search_path = pg_catalog, pg_temp;
set local rafiki.installer = :'installer';

-- Whoever owns the schema that dblink is in could put functions of his own into its place, to run with the rights of rafiki_owner.
do $$
declare
  strange record;
begin
  for strange in
    with owned as (
      select n.oid, n.nspname, case n.nspowner when 'pg_database_owner'::regrole then d.datdba else n.nspowner end as owner
      from pg_namespace n, pg_database d where d.datname = current_database())
    select o.nspname as schema, r.rolname as owner, o.nspname <> 'rafiki_dblink' as is_elsewhere
    from owned o join pg_roles r on r.oid = o.owner
    where not r.rolsuper and r.rolname not in ('rafiki_owner', session_user, current_setting('rafiki.installer'))
      and (o.nspname = 'rafiki_dblink' or o.oid in (select extnamespace from pg_extension where extname = 'dblink'))
  loop
    if strange.is_elsewhere then
      raise exception using errcode = 'object_not_in_prerequisite_state',
        message = format('dblink is in schema %I, which belongs to %I', strange.schema, strange.owner),
        hint = 'Run: create schema rafiki_dblink; alter extension dblink set schema rafiki_dblink;';
    end if;
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('schema rafiki_dblink belongs to %I, who could have put anything into it', strange.owner),
      hint = 'Look into it. Then run: drop schema rafiki_dblink cascade; or, if nothing but dblink is in it: '
        'alter schema rafiki_dblink owner to current_user;';
  end loop;
end $$;

-- owns everything that is rafiki's; nobody logs in as it
select 'create role rafiki_owner nologin'
where not exists (select from pg_roles where rolname = 'rafiki_owner') \gexec
-- coordinator, workers and servers; and what reads the tables that models are trained on, each with its owner's rights
select format('create role %I login noinherit', login) from unnest(array['rafiki_service', 'rafiki_reader']) login
where not exists (select from pg_roles where rolname = login) \gexec
alter role rafiki_service password :'password';
alter role rafiki_reader password :'password';
grant create on database :"DBNAME" to :"installer", rafiki_owner;

-- the way from Postgres to the servers of predictions; nobody else may use this copy. To give the schema to rafiki_owner an
-- administrator who is no superuser has to be a member of it for the moment.
create schema if not exists rafiki_dblink;
create extension if not exists dblink schema rafiki_dblink;
grant usage on foreign data wrapper dblink_fdw to rafiki_owner;
grant rafiki_owner to current_user;
alter schema rafiki_dblink owner to rafiki_owner;
revoke rafiki_owner from current_user;

grant rafiki_owner to :"installer";
-- where rafiki_train, rafiki_predict and the others go; another schema, if it comes first in the search path of that role
grant create on schema public to :"installer";

commit;
