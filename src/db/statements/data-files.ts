import type { Queryable } from '../database.ts';

/** The studies whose data may still be needed. */
export function selectOpenStudyKeys(on: Queryable): Promise<{ id: number; createdAt: string }[]> {
  const sql = `
    select id, extract(epoch from created_at)::text as "createdAt"
    from rafiki.study where state in ('queued', 'running')`;
  return on.query(sql);
}
