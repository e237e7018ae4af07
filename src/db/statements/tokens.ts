import type { Queryable } from '../database.ts';

/** A token that is valid, and the role that it acts as. */
export interface LiveToken {
  id: number;
  role: string;
  /** The name of its function in schema rafiki_reader. */
  reader: string;
  /** Whether its last use was noted more than a minute ago. */
  isUseDue: boolean;
}

/** The view shows minutes. */
const MINUTE = "interval '1 min'";

/** `hash`: SHA-256 of the token's SHA-256, both as hex. Undefined if there is none, or it is no longer valid. */
export async function selectToken(on: Queryable, hash: string): Promise<LiveToken | undefined> {
  const [found] = await on.query<LiveToken>(
    `select t.id, t.role::text as role, t.reader::text as reader, coalesce(t.used_at < now() - ${MINUTE}, true) as "isUseDue"
     from rafiki._live_token($1) t`,
    [hash],
  );
  return found;
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
