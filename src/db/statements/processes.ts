import type { Queryable } from '../database.ts';

export type ProcessKind = 'coordinator' | 'worker' | 'serving' | 'http';

export interface ProcessRow {
  kind: ProcessKind;
  host: string;
  pid: number;
  threads: number;
  /** The device that it computes on; the CPU if not given. */
  device?: string;
  version: string;
}

export async function insertProcess(
  on: Queryable,
  { kind, host, pid, threads, device = 'cpu', version }: ProcessRow,
): Promise<number> {
  const sql = `
    insert into rafiki.process (kind, host, pid, threads, device, version)
    values ($1, $2, $3, $4, $5, $6) returning id`;
  const [row] = await on.query<{ id: number }>(sql, [kind, host, pid, threads, device, version]);
  return row!.id;
}

/** False if the row does not exist any more: the process was considered dead. */
export async function touchProcess(on: Queryable, id: number): Promise<boolean> {
  return (await on.query('update rafiki.process set seen_at = now() where id = $1 returning id', [id])).length > 0;
}

export async function deleteProcess(on: Queryable, id: number): Promise<void> {
  await on.query('delete from rafiki.process where id = $1', [id]);
}

export async function deleteDeadProcesses(on: Queryable, unseenMs: number): Promise<void> {
  await on.query(`delete from rafiki.process where seen_at < now() - $1 * interval '1 ms'`, [unseenMs]);
}

/** Counts a trial that a process lost because it did not renew its lease in time. */
export async function countLost(on: Queryable, id: number): Promise<void> {
  await on.query('update rafiki.process set lost = lost + 1 where id = $1', [id]);
}

/** Number of workers without a trial, of all devices or only with a GPU. */
export async function countIdleWorkers(on: Queryable, { gpu }: { gpu: boolean }): Promise<number> {
  const sql = `
    select count(*)::int as idle from rafiki.process p
    where p.kind = 'worker' and rafiki._is_alive(p.seen_at) and (not $1 or p.device <> 'cpu')
      and not exists (select from rafiki.trial t where t.process_id = p.id and t.state = 'running')`;
  const [row] = await on.query<{ idle: number }>(sql, [gpu]);
  return row?.idle ?? 0;
}

export async function isServingAlive(on: Queryable): Promise<boolean> {
  const sql = `select from rafiki.process where kind = 'serving' and rafiki._is_alive(seen_at) limit 1`;
  return (await on.query(sql)).length > 0;
}

/** Number of running workers on a machine. */
export async function countWorkersOn(on: Queryable, host: string): Promise<number> {
  const sql = `
    select count(*)::int as workers from rafiki.process
    where kind = 'worker' and host = $1 and rafiki._is_alive(seen_at)`;
  const [row] = await on.query<{ workers: number }>(sql, [host]);
  return row?.workers ?? 0;
}

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
