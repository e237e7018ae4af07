import type { Queryable } from './database.ts';

/** A call of a user's function in schema rafiki_reader. */
export interface ReaderCall<T> {
  /**
   * Identifies the function as it is now, and so that another text, owner or kind of it has another version; undefined if it must not be
   * called.
   */
  version(on: Queryable): Promise<string | undefined>;
  call(on: Queryable): Promise<T>;
  /** The error if the function is not, or is no longer, what was to be called. */
  replaced(): Error;
  /** The error if something would run after the function has returned. */
  deferred(what: string): Error;
}

/**
 * Makes the call in a transaction of its own, in a session that was reset. Code of the owner runs only inside the function, with the owner's
 * rights: code in a replaced function, or deferred to the end of the transaction, would run as rafiki_reader, which can change its own
 * password. Each check reads current data: the isolation level is fixed.
 */
export async function guardedCall<T>(on: Queryable, { version, call, replaced, deferred }: ReaderCall<T>): Promise<T> {
  try {
    await on.query('begin isolation level read committed read write');
    const before = await version(on);
    if (before === undefined) throw replaced();
    const result = await call(on);
    await on.query('set search_path = pg_catalog, pg_temp'); // the owner's code may have changed it
    if ((await version(on)) !== before) throw replaced();
    const what = await selectDeferred(on);
    if (what !== undefined) throw deferred(what);
    await on.query('commit');
    return result;
  } catch (error) {
    await on.query('rollback').catch(() => undefined); // the connection may be lost
    throw error;
  }
}

/**
 * What would run at the end of the session's transaction with the rights of the session's role; undefined if nothing would: cursors
 * that outlive it, and, before PostgreSQL 18, constraint triggers of tables that it has written to.
 */
async function selectDeferred(on: Queryable): Promise<string | undefined> {
  const sql = `
    select 'a cursor that is held' as what from pg_cursors c where c.is_holdable
    union all
    select format('trigger %I of %s', t.tgname, t.tgrelid::regclass) from pg_trigger t
    where t.tgdeferrable and current_setting('server_version_num')::int < 180000
      and t.tgrelid in (
        select l.relation from pg_locks l
        where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.mode not in ('AccessShareLock', 'RowShareLock'))
      and not exists (select from pg_constraint c where c.oid = t.tgconstraint and c.contype in ('f', 'p', 'u'))
    limit 1`;
  const [found] = await on.query<{ what: string }>(sql);
  return found?.what;
}
