import type { Knobs } from '../../domain/hyper-space.ts';
import type { Round, RoundPace, WaitingWorker } from '../../domain/joint-training.ts';
import { LEASE_MS } from '../../domain/leases.ts';
import { MAX_WORKERS_PER_TRIAL } from '../../domain/study-limits.ts';
import type { Database, Queryable } from '../database.ts';
import { type ClaimedTrial, studyEncoders } from './claims.ts';
import { knownTask } from './studies.ts';
import type { Ownership } from './trials.ts';

/** A worker that has joined a trial, which another worker leads. */
export interface Joining {
  trialId: number;
  /** Of the trial: joining ends with the attempt. */
  attempt: number;
  processId: number;
}

/** A trial that a worker has joined. */
export interface JoinedTrial extends Joining {
  family: string;
  knobs: Knobs;
  seed: number;
  /** If the rows are in shards: the one that it holds, from 1 on. */
  shard: number;
  study: Pick<
    ClaimedTrial['study'],
    'id' | 'createdAt' | 'task' | 'validation' | 'metric' | 'balanced' | 'workersPerTrial' | 'encoders'
  >;
}

/** Joining takes seconds: a trial that ends sooner is left alone. */
const MIN_LEFT_SECONDS = 30;

/**
 * Of the trials with room for another worker, the one with the most work left for each. In a study without a number of
 * workers per trial, only a trial that will take long is joined, and from other machines: on its own it has all cores.
 */
const open = `
  with open as (
    select t.id, t.attempt, s.workers_per_trial as max, l.host = p.host as is_here,
      coalesce(t.seconds / nullif(t.epoch, 0) * (t.epochs - t.epoch), t.full_seconds) as seconds_left,
      (select count(*) from rafiki.trial_worker w where w.trial_id = t.id and w.lease_until > now()) + 1 as workers
    from rafiki.trial t
    join rafiki.study s on s.id = t.study_id and s.state = 'running' and s.paused_at is null
    join rafiki.process p on p.id = $1 and (not s.gpu or p.device <> 'cpu')
    join rafiki.process l on l.id = t.process_id and l.id <> p.id
    where t.state = 'running' and t.full_seconds is not null and not t.stop_requested and t.family = any($2)
      and t.lease_until > now() and t.id <> all ($4)
  ), roomy as (
    select * from open o
    where o.workers < coalesce(o.max, ${MAX_WORKERS_PER_TRIAL}) and (o.max is not null or not o.is_here and o.seconds_left > $3)
  )`;

/** The row is locked before workers and shards are counted: of two that join at once, each would not see the other. */
const lock = `
  ${open}
  select t.id from roomy o join rafiki.trial t on t.id = o.id
  order by coalesce(o.seconds_left, 0) / o.workers desc, o.id limit 1 for no key update of t skip locked`;

const join = `
  ${open}, joined as (
    insert into rafiki.trial_worker (trial_id, process_id, attempt, lease_until, shard)
    select b.id, $1, b.attempt, now() + $5 * interval '1 ms', free.shard
    from (select * from roomy where id = $6) b cross join lateral (
      select min(n) as shard from generate_series(1, ${MAX_WORKERS_PER_TRIAL}) n where not exists (
        select from rafiki.trial_worker w
        where w.trial_id = b.id and w.shard = n and w.process_id <> $1 and w.lease_until > now())) free
    on conflict (trial_id, process_id) do update
      set attempt = excluded.attempt, lease_until = excluded.lease_until, shard = excluded.shard, waits_after = null, round = null
    returning *
  )
  select j.trial_id as "trialId", j.attempt, j.process_id as "processId", t.family, t.knobs, t.seed, j.shard,
    jsonb_build_object('id', s.id, 'createdAt', extract(epoch from s.created_at)::text, 'task', s.task,
      'validation', s.validation, 'metric', s.metric, 'balanced', s.class_weights is not null, 'workersPerTrial', s.workers_per_trial,
      'encoders', (${studyEncoders})) as study
  from joined j join rafiki.trial t on t.id = j.trial_id join rafiki.study s on s.id = t.study_id`;

/** Joins a running trial; undefined if none has room, or another worker is joining it just now. */
export async function joinTrial(
  on: Pick<Database, 'transaction'>,
  processId: number,
  { families, avoided = [] }: { families: readonly string[]; avoided?: readonly number[] },
): Promise<JoinedTrial | undefined> {
  const values = [processId, families, MIN_LEFT_SECONDS, avoided];
  const row = await on.transaction(async (tx) => {
    const [locked] = await tx.query<{ id: number }>(lock, values);
    if (locked === undefined) return undefined;
    const [joined] = await tx.query<JoinedTrial>(join, [...values, LEASE_MS, locked.id]);
    return joined;
  });
  return row && { ...row, study: { ...row.study, task: knownTask(row.study.task) } };
}

export async function leaveTrial(on: Queryable, { trialId, processId }: Joining): Promise<void> {
  await on.query('delete from rafiki.trial_worker where trial_id = $1 and process_id = $2', [trialId, processId]);
}

/** The last round that a worker has trained, and how quickly. */
export interface TrainedRound {
  round: number;
  rowsPerSecond: number;
}

/** Extends the lease of a joined worker. False if the trial or its attempt has ended, or the trial is to stop. */
export async function renewJoining(
  on: Queryable,
  { trialId, attempt, processId }: Joining,
  trained: TrainedRound | null = null,
): Promise<boolean> {
  const sql = `
    update rafiki.trial_worker w
    set lease_until = now() + $4 * interval '1 ms', round = coalesce($5, w.round),
      rows_per_second = coalesce($6, w.rows_per_second)
    from rafiki.trial t join rafiki.study s on s.id = t.study_id
    where w.trial_id = $1 and w.attempt = $2 and w.process_id = $3 and t.id = w.trial_id
      and t.attempt = w.attempt and t.state = 'running' and not t.stop_requested
      and s.state = 'running' and s.paused_at is null
    returning w.trial_id`;
  const values = [trialId, attempt, processId, LEASE_MS, trained?.round ?? null, trained?.rowsPerSecond ?? null];
  return (await on.query(sql, values)).length > 0;
}

/** Whether a trial waits that this worker could train: it then leaves the one that it has joined. */
export async function isTrialWaiting(on: Queryable, processId: number, families: readonly string[]): Promise<boolean> {
  const sql = `
    select from rafiki.process p
    join rafiki.study s on s.state in ('queued', 'running') and s.paused_at is null and (not s.gpu or p.device <> 'cpu')
    join rafiki.trial t on t.study_id = s.id and t.state = 'waiting' and t.family = any($2)
    where p.id = $1 limit 1`;
  return (await on.query(sql, [processId, families])).length > 0;
}

/** Says that a worker waits for a round after `after`, with the weights of round `has`. */
export async function setWaiting(
  on: Queryable,
  { trialId, attempt, processId }: Joining,
  { has, after }: Omit<WaitingWorker, 'processId'>,
): Promise<void> {
  const sql = `
    update rafiki.trial_worker set round = $4, waits_after = $5
    where trial_id = $1 and attempt = $2 and process_id = $3`;
  await on.query(sql, [trialId, attempt, processId, has, after]);
}

/** The workers that wait for a round of a trial here; those of the owner's machine do so elsewhere. */
export function selectWaitingWorkers(on: Queryable, { trialId, attempt }: Ownership): Promise<WaitingWorker[]> {
  const sql = `
    select process_id as "processId", round as has, waits_after as after from rafiki.trial_worker
    where trial_id = $1 and attempt = $2 and waits_after is not null and lease_until > now() order by process_id`;
  return on.query(sql, [trialId, attempt]);
}

export interface NewRound {
  plan: Round;
  processIds: readonly number[];
  /** The weights; null: all workers have them from elsewhere. */
  paramsId: number | null;
  /** Of the round before. */
  last: RoundPace | null;
}

const begin = `
  with owner as (
    select id from rafiki.trial where id = $1 and attempt = $2 and process_id = $3 and state = 'running' for update
  ), old as (
    delete from rafiki.trial_round r using owner o where r.trial_id = o.id and (r.number < $4 - 1 or r.attempt <> $2)
  )
  insert into rafiki.trial_round (trial_id, attempt, number, plan, process_ids, params_id, rows_per_second, exchange_share)
  select id, $2, $4, $5, $6::bigint[], $7, $8, $9 from owner
  on conflict (trial_id, attempt, number) do update set params_id = excluded.params_id -- after a lost reply
  returning trial_id`;

/** Starts a round, and forgets those before the last one. False if the trial is no longer this process's. */
export async function insertRound(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
  { plan, processIds, paramsId, last }: NewRound,
): Promise<boolean> {
  const values = [
    ...[trialId, attempt, processId, plan.number, JSON.stringify(plan), processIds, paramsId],
    ...[last?.rowsPerSecond ?? null, last?.exchangeShare ?? null],
  ];
  return (await on.query(begin, values)).length > 0;
}

export interface StoredRound {
  plan: Round;
  /** Of the worker that asks; null: it has none. */
  seat: number | null;
  paramsId: number | null;
}

/** The newest round of a trial, if it is later than `after`. */
export async function selectRound(
  on: Queryable,
  { trialId, attempt, processId }: Joining,
  after: number,
): Promise<StoredRound | undefined> {
  const sql = `
    select r.plan, array_position(r.process_ids, $3::bigint) as seat, r.params_id as "paramsId"
    from rafiki.trial_round r
    where r.trial_id = $1 and r.attempt = $2 and r.number > $4 order by r.number desc limit 1`;
  const [row] = await on.query<StoredRound>(sql, [trialId, attempt, processId, after]);
  return row;
}

export interface NewChange {
  number: number;
  /** What was trained, and how long it took. */
  rows: number;
  seconds: number;
  paramsId: number;
}

/** The round is locked: the leader may delete it meanwhile, and the row of a change refers to it. */
const change = `
  with joined as (
    update rafiki.trial_worker set waits_after = $4, round = $4, rows_per_second = $5 / nullif($6::float8, 0)
    where trial_id = $1 and attempt = $2 and process_id = $3 returning trial_id
  )
  insert into rafiki.trial_change (trial_id, attempt, number, process_id, row_count, seconds, params_id)
  select j.trial_id, r.attempt, r.number, $3, $5, $6, $7 from joined j
  join rafiki.trial_round r on r.trial_id = j.trial_id and r.number = $4 and r.attempt = $2
  for key share of r
  on conflict do nothing`;

/** Stores what a worker has learnt in a round; it then waits for the next. Nothing is stored for a round that is over. */
export async function insertChange(
  on: Queryable,
  { trialId, attempt, processId }: Joining,
  { number, rows, seconds, paramsId }: NewChange,
): Promise<void> {
  await on.query(change, [trialId, attempt, processId, number, rows, seconds, paramsId]);
}

export interface StoredChange {
  processId: number;
  rows: number;
  seconds: number;
  paramsId: number;
}

/** The changes of a round that have arrived. */
export function selectChanges(on: Queryable, { trialId, attempt }: Ownership, number: number): Promise<StoredChange[]> {
  const sql = `
    select process_id as "processId", row_count as rows, seconds, params_id as "paramsId" from rafiki.trial_change
    where trial_id = $1 and attempt = $2 and number = $3 order by process_id`;
  return on.query(sql, [trialId, attempt, number]);
}
