import type { Queryable } from '../database.ts';

/** What is in work or waits, in the whole database. */
export interface WorkCounts {
  queuedStudies: number;
  runningStudies: number;
  waitingTrials: number;
  runningTrials: number;
}

/** Over the indexes of what is not done: however many studies and trials there were. */
export async function selectWorkCounts(on: Queryable): Promise<WorkCounts> {
  const [row] = await on.query<WorkCounts>(`
    select count(*) filter (where state = 'queued')::int as "queuedStudies",
      count(*) filter (where state = 'running')::int as "runningStudies",
      (select count(*) from rafiki.trial where state = 'waiting')::int as "waitingTrials",
      (select count(*) from rafiki.trial where state = 'running')::int as "runningTrials"
    from rafiki.study where state in ('queued', 'running')`);
  return row!;
}
