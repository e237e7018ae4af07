import type { Queryable } from '../../db/database.ts';
import { setPassword } from '../logins.ts';
import type { StoredPassword } from './secret-file.ts';

/** The database of `up`. */
export const DATABASE = 'rafiki';
/**
 * Its owner, an ordinary role. It must not have the name of our schema, which "$user" in a search path would select.
 */
export const USER = 'rafiki_user';

/**
 * Creates the user's role and the database if missing. Needs a superuser's session with a pinned search path: the user
 * may create objects that shadow those of pg_catalog. Sets the password only if it `isNew`, since the user may have
 * changed it.
 */
export async function createUser(admin: Queryable, { password, isNew }: StoredPassword): Promise<void> {
  const isThere = await exists(admin, 'select from pg_roles where rolname = $1', USER);
  if (!isThere) await admin.query(`create role ${USER} login`);
  if (!isThere || isNew) await setPassword(admin, USER, password);
  if (!(await exists(admin, 'select from pg_database where datname = $1', DATABASE))) {
    await admin.query(`create database ${DATABASE} owner ${USER}`);
  }
}

const exists = async (on: Queryable, sql: string, name: string): Promise<boolean> =>
  (await on.query(sql, [name])).length > 0;

/**
 * In 0.1.0 the user of `up` was the superuser. Its objects are transferred to the user's role, once, if the database
 * still belongs to the superuser; later, ownership is up to the administrator. Needs a superuser's session in the
 * database itself.
 */
export async function transferOwnership(admin: Queryable): Promise<void> {
  await admin.query(transferOwnershipSql);
}

const transferOwnershipSql = `
do $$
declare
  superuser constant regrole := (select oid from pg_roles where rolname = current_user);
  statement text;
begin
  if (select d.datdba from pg_database d where d.datname = current_database()) <> superuser then
    return;
  end if;
  for statement in
    with own as (
      select n.oid, n.nspname from pg_namespace n
      where n.nspname !~ '^(pg_|information_schema$|rafiki$|rafiki_reader$|rafiki_dblink$)')
    select format('alter table %s owner to ${USER}', c.oid::regclass) from pg_class c join own n on n.oid = c.relnamespace
    where c.relowner = superuser and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and not exists (
      select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
        and (d.deptype = 'e' or c.relkind = 'S' and d.deptype in ('a', 'i'))) -- a column's sequence goes with its table
    union all
    select format('alter routine %s owner to ${USER}', p.oid::regprocedure) from pg_proc p join own n on n.oid = p.pronamespace
    where p.proowner = superuser and not exists (
      select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
    union all
    select format('alter type %s owner to ${USER}', t.oid::regtype) from pg_type t join own n on n.oid = t.typnamespace
      left join pg_class c on c.oid = t.typrelid
    where t.typowner = superuser and (t.typtype in ('d', 'e', 'r') or c.relkind = 'c') and not exists (
      select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')
    union all
    select format('alter schema %I owner to ${USER}', n.nspname) from own n join pg_namespace s on s.oid = n.oid
    where s.nspowner = superuser and n.nspname <> 'public'
  loop
    execute statement;
  end loop;
  update rafiki.model set owner = '${USER}'::regrole where owner = superuser;
  update rafiki.study set owner = '${USER}'::regrole where owner = superuser;
  execute format('alter database %I owner to ${USER}', current_database());
end $$`;
