import type { DeploymentState, StudyState, TrialState } from '../../domain/state.ts';
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

/**
 * Deletes the rows of processes without a heartbeat that had none at the last check either, and returns those that have none now: while
 * Postgres was away, no process had one.
 */
export async function deleteDeadProcesses(
  on: Queryable,
  unseenMs: number,
  silent: readonly number[],
): Promise<number[]> {
  const sql = `
    with dead as (
      delete from rafiki.process where seen_at < now() - $1 * interval '1 ms' and id = any($2) returning id
    )
    select id from rafiki.process where seen_at < now() - $1 * interval '1 ms' and id not in (select id from dead)`;
  return (await on.query<{ id: number }>(sql, [unseenMs, silent])).map(({ id }) => id);
}

/** Counts a trial that a process lost because it did not renew its lease in time. */
export async function countLost(on: Queryable, id: number): Promise<void> {
  await on.query('update rafiki.process set lost = lost + 1 where id = $1', [id]);
}

/** Numbers of workers without a trial. */
export interface IdleWorkers {
  all: number;
  gpu: number;
}

export async function countIdleWorkers(on: Queryable): Promise<IdleWorkers> {
  const [row] = await on.query<IdleWorkers>(`
    select count(*)::int as all, count(*) filter (where p.device <> 'cpu')::int as gpu from rafiki.process p
    where p.kind = 'worker' and rafiki._is_alive(p.seen_at)
      and not exists (select from rafiki.trial t where t.process_id = p.id and t.state = 'running')`);
  return row!;
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
  /** Those that a worker may take: not of paused studies. */
  waitingTrials: number;
  runningTrials: number;
}

/** Over the indexes of what is not done: however many studies and trials there were. */
export async function selectWorkCounts(on: Queryable): Promise<WorkCounts> {
  const [row] = await on.query<WorkCounts>(`
    select count(*) filter (where state = 'queued')::int as "queuedStudies",
      count(*) filter (where state = 'running')::int as "runningStudies",
      (select count(*) from rafiki.trial t join rafiki.study s on s.id = t.study_id
       where t.state = 'waiting' and s.paused_at is null)::int as "waitingTrials",
      (select count(*) from rafiki.trial where state = 'running')::int as "runningTrials"
    from rafiki.study where state in ('queued', 'running')`);
  return row!;
}

/** How much has ended lately, and what is wrong, in the whole database. */
export interface WorkOutcomes {
  /** Those that ended within the last hour, as the trials below. */
  studies: Partial<Record<StudyState, number>>;
  trials: Partial<Record<TrialState, number>>;
  /** Of trials of studies that are open, or ended within the last hour. */
  lostAttempts: number;
  /** Models by the state of their last deployment; failed ones for a day, since a version that answers cannot be deployed again. */
  deployments: Partial<Record<DeploymentState, number>>;
  imports: Partial<Record<'queued' | 'checking', number>>;
  /** Of attached tables: how long rows of the one that waits longest have been waiting, and about how many rows wait in all. */
  fillLagSeconds: number;
  fillRows: number;
  /** Disk space of weights in the database. */
  blobBytes: number;
}

const workOutcomes = `
  with lately as (
    select s.id, s.state, s.ended_at from rafiki.study s where s.ended_at is null or s.ended_at > now() - interval '1 hour'
  ), trials as (
    select t.state, t.attempt, t.ended_at > now() - interval '1 hour' as ended from rafiki.trial t join lately l on l.id = t.study_id
  ), last as (
    select distinct on (d.model_id) d.state, d.created_at from rafiki.deployment d order by d.model_id, d.id desc
  )
  select
    (select coalesce(jsonb_object_agg(c.state, c.n), '{}')
     from (select state, count(*) as n from lately where ended_at is not null group by state) c) as studies,
    (select coalesce(jsonb_object_agg(c.state, c.n), '{}') from (select state, count(*) as n from trials where ended group by state) c) as trials,
    (select coalesce(sum(attempt), 0)::int8 from trials) as "lostAttempts",
    (select coalesce(jsonb_object_agg(c.state, c.n), '{}') from (
      select state, count(*) as n from last where state <> 'failed' or created_at > now() - interval '1 day' group by state) c) as deployments,
    (select coalesce(jsonb_object_agg(c.state, c.n), '{}')
     from (select state, count(*) as n from rafiki.import where state in ('queued', 'checking') group by state) c) as imports,
    (select coalesce(extract(epoch from now() - min(waiting_since)), 0)::float8 from rafiki.attachment) as "fillLagSeconds",
    (select coalesce(sum(to_come), 0)::int8 from rafiki.attachment where waiting_since is not null) as "fillRows",
    pg_total_relation_size('rafiki.blob') as "blobBytes"`;

/** Scans the studies, which are few; of trials only those of the last hour's studies. */
export async function selectWorkOutcomes(on: Queryable): Promise<WorkOutcomes> {
  const [row] = await on.query<WorkOutcomes>(workOutcomes);
  return row!;
}
