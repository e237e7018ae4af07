import { LEADERSHIP_MS } from '../../domain/leases.ts';
import { LeaseLost } from '../../errors/errors.ts';
import type { Queryable } from '../database.ts';

/**
 * Becomes or remains the leader until the lease ends; false if another coordinator is. A lease that is much longer than any was given before
 * the clock of the database was set back.
 */
export async function acquireLeadership(on: Queryable, processId: number): Promise<boolean> {
  const sql = `
    update rafiki.leader set process_id = $1, lease_until = now() + $2 * interval '1 ms'
    where singleton = (select l.singleton from rafiki.leader l
                       where l.process_id = $1 or l.lease_until not between now() and now() + 2 * $2 * interval '1 ms' for no key update skip locked)
    returning process_id`;
  return (await on.query(sql, [processId, LEADERSHIP_MS])).length > 0;
}

/** Prevents other coordinators from becoming the leader until the transaction ends; throws {@link LeaseLost} if one is. */
export async function lockLeadership(on: Queryable, processId: number): Promise<void> {
  if (await acquireLeadership(on, processId)) return;
  throw new LeaseLost('another coordinator is the leader now');
}

/** Ends the lease, so that another coordinator can become the leader immediately. */
export async function releaseLeadership(on: Queryable, processId: number): Promise<void> {
  await on.query(`update rafiki.leader set lease_until = '-infinity' where process_id = $1`, [processId]);
}
