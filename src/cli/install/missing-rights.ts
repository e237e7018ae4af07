import type { Queryable } from '../../db/database.ts';

/**
 * The statements that an administrator still has to run in this database before the current role can install or
 * upgrade, in order: those of docs/install-managed.sql that are not done yet. Needs a transaction of its own in which
 * nothing else was called: it pins the search path after reading the API's schema from it.
 */
export async function missingRights(tx: Queryable): Promise<string[]> {
  const [first] = await tx.query<{ home: string | null }>(
    'select pg_catalog.quote_ident(pg_catalog.current_schema()) as home',
  );
  await tx.query('set local search_path = pg_catalog, pg_temp');
  const rows = await tx.query<{ statement: string }>(sql, [first?.home]);
  return rows.map(({ statement }) => statement);
}

const sql = `
  with here as (
    select to_regrole('rafiki_owner') as owner, quote_ident(current_database()) as database, quote_ident(current_user) as installer,
      current_setting('server_version_num')::int >= 160000 as has_options,
      -- where an earlier version has its API
      coalesce((select p.pronamespace::regnamespace::text from pg_proc p join pg_namespace n on n.nspname = 'rafiki' and n.nspowner = p.proowner
                where p.proname = 'rafiki_train'), $1::text) as home,
      (select e.extnamespace from pg_extension e where e.extname = 'dblink') as dblink,
      to_regnamespace('rafiki_dblink') as own_dblink
  )
  select s.statement from here h cross join lateral (values
    (1, h.owner is null, 'create role rafiki_owner nologin;'),
    (2, to_regrole('rafiki_service') is null, 'create role rafiki_service login noinherit;'),
    (3, to_regrole('rafiki_reader') is null, 'create role rafiki_reader login noinherit;'),
    (4, (has_database_privilege(to_regrole('rafiki_service')::oid, current_database(), 'connect')
         and has_database_privilege(to_regrole('rafiki_reader')::oid, current_database(), 'connect')) is not true,
     format('grant connect on database %s to rafiki_service, rafiki_reader;', h.database)),
    (5, has_database_privilege(h.owner::oid, current_database(), 'create') is not true,
     format('grant create on database %s to rafiki_owner;', h.database)),
    (6, h.dblink is null and h.own_dblink is null, 'create schema rafiki_dblink;'),
    (7, h.dblink is null, 'create extension dblink schema rafiki_dblink;'),
    (8, h.dblink is null or has_foreign_data_wrapper_privilege(h.owner::oid, 'dblink_fdw', 'usage') is not true,
     'grant usage on foreign data wrapper dblink_fdw to rafiki_owner;'),
    -- an administrator who is no superuser has to be a member of it for the moment
    (9, coalesce(h.dblink, h.own_dblink, 0) in (0, h.own_dblink)
        and ((select n.nspowner from pg_namespace n where n.oid = h.own_dblink) = h.owner::oid) is not true,
     'grant rafiki_owner to current_user; alter schema rafiki_dblink owner to rafiki_owner; revoke rafiki_owner from current_user;'),
    (10, h.owner is null or not pg_has_role(h.owner::oid, case when h.has_options then 'set' else 'member' end),
     format('grant rafiki_owner to %s%s;', h.installer, case when h.has_options then ' with inherit false, set true' else '' end)),
    (11, h.home is not null and (has_schema_privilege(h.owner::oid, to_regnamespace(h.home)::oid, 'create')
         and has_schema_privilege(h.owner::oid, to_regnamespace(h.home)::oid, 'usage')) is not true,
     format('grant usage, create on schema %s to rafiki_owner;', h.home))
  ) s (place, is_missing, statement)
  where s.is_missing order by s.place`;
