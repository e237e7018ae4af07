-- What an administrator runs once, where the role that installs rafiki may create neither roles nor extensions:
--
--   psql "$ADMIN_URL" -v ON_ERROR_STOP=1 -v installer=ROLE -v password=PASSWORD -f docs/install-managed.sql
--
-- in the database that rafiki goes into. After it nothing needs an administrator: as ROLE, `rafiki install --database-url URL`
-- installs and upgrades, and the processes log in as rafiki_service and rafiki_reader with PASSWORD.
begin;

-- owns everything that is rafiki's; nobody logs in as it
select 'create role rafiki_owner nologin'
where not exists (select from pg_roles where rolname = 'rafiki_owner') \gexec
-- coordinator, workers and servers; and what reads the tables that models are trained on, each with its owner's rights
select format('create role %I login noinherit', login) from unnest(array['rafiki_service', 'rafiki_reader']) login
where not exists (select from pg_roles where rolname = login) \gexec
alter role rafiki_service password :'password';
alter role rafiki_reader password :'password';

grant rafiki_owner to :"installer";
grant create on database :"DBNAME" to :"installer", rafiki_owner;
-- where rafiki_train, rafiki_predict and the others go; another schema, if it comes first in the search path of that role
grant create on schema public to :"installer";

-- the way from Postgres to the servers of predictions; nobody else may use this copy
create schema if not exists rafiki_dblink;
create extension if not exists dblink schema rafiki_dblink;
grant usage on schema rafiki_dblink to rafiki_owner;
grant usage on foreign data wrapper dblink_fdw to rafiki_owner;

commit;
