-- For an administrator, if the role that installs rafiki may create neither roles nor extensions: run this in rafiki's database before each
-- installation and upgrade.
--
--   psql "$ADMIN_URL" -v ON_ERROR_STOP=1 -v installer=ROLE -v verifier="$(rafiki verifier)" -f docs/install-managed.sql
--
-- Then, as ROLE, `rafiki install --database-url URL` installs or upgrades. After that no role needs to be a member of rafiki_owner,
-- which owns rafiki in every database of the cluster, and the administrator revokes the membership:
--
--   psql "$ADMIN_URL" -c 'revoke rafiki_owner from ROLE'
--
-- ROLE should be a dedicated role, not the application's. `rafiki verifier` prints the SCRAM verifier of the password in
-- RAFIKI_SERVICE_PASSWORD, with which the processes log in as rafiki_service and rafiki_reader, in each database of the cluster. Without
-- -v verifier=… their passwords are not changed: for upgrades, and for a second database.
begin;
-- the owner of the database may have created functions and operators that precede those of pg_catalog
set local search_path = pg_catalog, pg_temp;
set local rafiki.installer = :'installer';

-- The owner of the schema that dblink is in could replace dblink's functions by others, which would run with the rights of rafiki_owner.
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
      hint = 'Check its contents. Then run: drop schema rafiki_dblink cascade; or, if nothing but dblink is in it: '
        'alter schema rafiki_dblink owner to current_user;';
  end loop;
end $$;

-- owns all objects of rafiki; cannot log in
select 'create role rafiki_owner nologin'
where not exists (select from pg_roles where rolname = 'rafiki_owner') \gexec
-- the login of coordinator, workers and servers; and the login that reads sources, each with its owner's rights
select format('create role %I login noinherit', login) from unnest(array['rafiki_service', 'rafiki_reader']) login
where not exists (select from pg_roles where rolname = login) \gexec
\if :{?verifier}
alter role rafiki_service password :'verifier';
alter role rafiki_reader password :'verifier';
\endif
grant connect on database :"DBNAME" to rafiki_service, rafiki_reader;
grant create on database :"DBNAME" to rafiki_owner;

-- the connection from Postgres to the prediction servers; no other role may use this copy. To give the schema to rafiki_owner, an
-- administrator that is not a superuser must temporarily be a member of it.
create schema if not exists rafiki_dblink;
create extension if not exists dblink schema rafiki_dblink;
grant usage on foreign data wrapper dblink_fdw to rafiki_owner;
grant rafiki_owner to current_user;
alter schema rafiki_dblink owner to rafiki_owner;
revoke rafiki_owner from current_user;

-- for the time of the installation, whose objects belong to rafiki_owner
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
