import type { Queryable } from '../database.ts';

/** A token that is valid, and the role that it acts as. */
export interface LiveToken {
  id: number;
  role: string;
  /** The name of its function in schema rafiki_reader. */
  reader: string;
  /** The function as it was created: its OID and the transaction that wrote it. */
  version: string;
  /** Whether its last use was noted more than a minute ago. */
  isUseDue: boolean;
}

/** The view shows minutes. */
const MINUTE = "interval '1 min'";

/** `hash`: SHA-256 of the token's SHA-256, both as hex. Undefined if there is none, or it is no longer valid. */
export async function selectToken(on: Queryable, hash: string): Promise<LiveToken | undefined> {
  const [found] = await on.query<LiveToken>(
    `select t.id, t.role::text as role, t.reader::text as reader, p.oid || ' ' || p.xmin::text as version,
       coalesce(t.used_at < now() - ${MINUTE}, true) as "isUseDue"
     from rafiki._live_token($1) t join pg_proc p on p.pronamespace = 'rafiki_reader'::regnamespace
       and p.proname = t.reader::text and p.proargtypes = rafiki._token_arguments()`,
    [hash],
  );
  return found;
}

/** Whether the token's function is the one that {@link selectToken} has found, in the session that calls it. */
export async function isUnchanged(on: Queryable, { version }: LiveToken): Promise<boolean> {
  const [oid, written] = version.split(' ');
  return (await on.query('select from pg_proc p where p.oid = $1 and p.xmin::text = $2', [oid, written])).length === 1;
}

/** Notes a use, at most once a minute. A row that a user's transaction holds is left. */
export async function noteUse(on: Queryable, id: number): Promise<void> {
  await on.query(
    `update rafiki.token t set used_at = now() from (
       select u.id from rafiki.token u where u.id = $1 and (u.used_at is null or u.used_at < now() - ${MINUTE}) for no key update skip locked) due
     where t.id = due.id`,
    [id],
  );
}
