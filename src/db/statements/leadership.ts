import type { Queryable } from '../database.ts';

/** "rafiki" in ASCII: the lock of the acting coordinator, one in each database. */
const LEADER_LOCK = 0x726166696b69;

/** Takes the lock for as long as this session lives, if nobody has it. */
export async function tryToLead(on: Queryable): Promise<boolean> {
  const [row] = await on.query<{ leads: boolean }>('select pg_try_advisory_lock($1) as leads', [LEADER_LOCK]);
  return row?.leads ?? false;
}
