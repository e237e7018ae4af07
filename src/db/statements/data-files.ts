import type { Queryable } from '../database.ts';

/** Held until the session ends: of the workers of one machine, one reads and the others wait for its file. */
export async function lockDataFile(on: Queryable, place: string): Promise<void> {
  await on.query('select pg_advisory_lock(hashtextextended($1, 0))', [place]);
}

/** The studies whose data may still be needed. */
export function selectOpenStudyKeys(on: Queryable): Promise<{ id: number; createdAt: string }[]> {
  const sql = `
    select id, extract(epoch from created_at)::text as "createdAt"
    from rafiki.study where state in ('queued', 'running')`;
  return on.query(sql);
}
