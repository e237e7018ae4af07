import type { Queryable } from '../../db/database.ts';
import { setPassword } from '../logins.ts';
import type { KeptPassword } from './secret-file.ts';

/** The database of `up`. */
export const DATABASE = 'rafiki';
/** The ordinary role that owns it: what a user needs, and no more. One named as our schema would find our tables first. */
export const USER = 'rafiki_user';

/**
 * Makes the user's role, and the database where there is none; both are his. As a superuser, in any database,
 * by a session with a pinned search path, as the next one: the user may make what stands in front of pg_catalog's. He may also
 * have changed his password: it is given again where ours `isNew` only.
 */
export async function createUser(admin: Queryable, { password, isNew }: KeptPassword): Promise<void> {
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
 * With 0.1.0 the user of `up` was the superuser: what he made is handed to the role that he is now, where the database is still the
 * superuser's. Once: later that, and what is in it, is as an administrator wants it. As a superuser, in the database itself.
 */
export async function handOver(admin: Queryable): Promise<void> {
  await admin.query(handOverSql);
}

const handOverSql = `
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
