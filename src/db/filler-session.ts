import type { Queryable } from './database.ts';
import type { WaitingAttachment } from './statements/attachments.ts';

/** Version of the function that fills a table; undefined if it does not belong to the table's owner, or would not run with its rights. */
export async function fillerVersion(on: Queryable, { reader, owner }: WaitingAttachment): Promise<string | undefined> {
  const sql = `
    select p.oid || ' ' || p.xmin::text as version from pg_proc p
    where p.pronamespace = 'rafiki_reader'::regnamespace and p.proname = $1 and p.proowner::int8 = $2
      and p.prosecdef and p.prorettype = 'text'::regtype and not p.proretset
      and p.pronargs = current_setting('max_function_args')::int and 'boolean'::regtype::oid = all (p.proargtypes::oid[])`;
  const [found] = await on.query<{ version: string }>(sql, [reader, owner]);
  return found?.version;
}

/**
 * What would run at the end of the session's transaction with the rights of the session's role; undefined if nothing would: cursors
 * that outlive it, and, before PostgreSQL 18, constraint triggers of tables that it has locked.
 */
export async function selectDeferred(on: Queryable): Promise<string | undefined> {
  const sql = `
    select 'a cursor that is held' as what from pg_cursors c where c.is_holdable
    union all
    select format('trigger %I of %s', t.tgname, t.tgrelid::regclass) from pg_trigger t
    where t.tgdeferrable and current_setting('server_version_num')::int < 180000
      and t.tgrelid in (select l.relation from pg_locks l where l.pid = pg_backend_pid() and l.locktype = 'relation')
      and not exists (select from pg_constraint c where c.oid = t.tgconstraint and c.contype in ('f', 'p', 'u'))
    limit 1`;
  const [found] = await on.query<{ what: string }>(sql);
  return found?.what;
}
