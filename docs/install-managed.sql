-- What an administrator runs where the role that installs rafiki may create neither roles nor extensions: in the database that rafiki
-- goes into, before it is installed and before it is upgraded.
--
--   psql "$ADMIN_URL" -v ON_ERROR_STOP=1 -v installer=ROLE -v verifier="$(rafiki verifier)" -f docs/install-managed.sql
--
-- Then, as ROLE, `rafiki install --database-url URL` installs or upgrades. After that nobody needs to be a member of rafiki_owner, who
-- owns rafiki in every database of the cluster, and the administrator takes it back:
--
--   psql "$ADMIN_URL" -c 'revoke rafiki_owner from ROLE'
--
-- ROLE should be one of its own for this, not the application's. `rafiki verifier` prints what Postgres needs to know of the password in
-- RAFIKI_SERVICE_PASSWORD, with which the processes log in as rafiki_service and rafiki_reader, in each database of the cluster. Without
-- -v verifier=… their passwords stay as they are: for upgrades, and for a second database.
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
      message = format('schema rafiki_dblink belongs to role %I, which could have put anything into it', strange.owner),
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
\if :{?verifier}
alter role rafiki_service password :'verifier';
alter role rafiki_reader password :'verifier';
\endif
grant connect on database :"DBNAME" to rafiki_service, rafiki_reader;
grant create on database :"DBNAME" to rafiki_owner;

-- the way from Postgres to the servers of predictions; nobody else may use this copy. To give the schema to rafiki_owner an
-- administrator who is no superuser has to be a member of it for the moment.
create schema if not exists rafiki_dblink;
create extension if not exists dblink schema rafiki_dblink;
grant usage on foreign data wrapper dblink_fdw to rafiki_owner;
grant rafiki_owner to current_user;
alter schema rafiki_dblink owner to rafiki_owner;
revoke rafiki_owner from current_user;

-- for the time of the installation: what it makes is rafiki_owner's
select current_setting('server_version_num')::int >= 160000 as has_options \gset
\if :has_options
grant rafiki_owner to :"installer" with inherit false, set true;
\else
grant rafiki_owner to :"installer";
\endif
grant connect on database :"DBNAME" to :"installer";
-- where rafiki_train, rafiki_predict and the others go; another schema, if it comes first in the search path of the installer
grant usage, create on schema public to rafiki_owner;

commit;
