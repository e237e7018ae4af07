import { LeaseLost } from '../../errors/errors.ts';
import type { Queryable } from '../database.ts';

/** How long the acting coordinator keeps its lead without being heard of. */
const LEAD_MS = 10_000;

/** Takes or keeps the lead: nobody else has it for as long as the lease. False where another coordinator does. */
export async function takeLead(on: Queryable, processId: number): Promise<boolean> {
  const sql = `
    update rafiki.leader set process_id = $1, lease_until = now() + $2 * interval '1 ms'
    where singleton = (select l.singleton from rafiki.leader l
                       where l.process_id = $1 or l.lease_until < now() for no key update skip locked)
    returning process_id`;
  return (await on.query(sql, [processId, LEAD_MS])).length > 0;
}

/** Begins what only the leader may write: until the transaction ends nobody else takes the lead. */
export async function holdLead(on: Queryable, processId: number): Promise<void> {
  if (await takeLead(on, processId)) return;
  throw new LeaseLost('another coordinator acts now');
}

/** Lets the next coordinator act at once. */
export async function giveUpLead(on: Queryable, processId: number): Promise<void> {
  await on.query(`update rafiki.leader set lease_until = '-infinity' where process_id = $1`, [processId]);
}
