import { CANDIDATES_OF_FAMILY } from '../../domain/ensembles/rule.ts';
import type { Knobs } from '../../domain/hyper-space.ts';
import { LEASE_MS } from '../../domain/leases.ts';
import type { TrialState } from '../../domain/state.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Queryable } from '../database.ts';

/** A trial with all that the coordinator decides by. */
export interface TrialRow {
  id: number;
  number: number;
  family: string;
  knobs: Knobs;
  seed: number;
  state: TrialState;
  stopRequested: boolean;
  /** Since that was requested; null if it was not. */
  stoppingMs: number | null;
  /** Id of the process that trains it, or did last. */
  worker: number | null;
  epoch: number;
  epochs: number | null;
  /** Seconds that the whole trial takes on one worker; 0 if it is quick, null before that is measured. */
  fullSeconds: number | null;
  /** Id of the trial whose network it trains again on all rows; it has no score. */
  refits: number | null;
  seconds: number | null;
  /** 1-based; null if its study has none. */
  rung: number | null;
  /** Trials of its rung; null before that is planned. */
  rungSize: number | null;
  /** The time that it has in its rung; null in the last one, and before it is planned. */
  plannedSeconds: number | null;
  score: number | null;
  error: ErrorReport | null;
  hasParams: boolean;
  validationHash: Buffer | null;
  /** Random, still to be chosen, or chosen among the published weights. */
  initialWeights: 'random' | 'open' | 'chosen';
  /** Number of the trial that contributed most of them, and the share contributed by all. */
  parent: number | null;
  warmShare: number | null;
  /** Validation score of each epoch reported; of most of the ended trials of a large study only the best score. */
  scores: number[];
}

/** Ended trials of a family with which a running one is compared epoch by epoch: the last ones. */
const MAX_PEERS = 100;

/** A study's trials. It is read at each tick, so the scores of all epochs are not read of all of them: of those that are open, of peers, and of possible members. */
export function selectTrials(on: Queryable, studyId: number): Promise<TrialRow[]> {
  const sql = `
    select t.id, t.number, t.family, t.knobs, t.seed, t.state, t.stop_requested as "stopRequested", t.epoch, t.epochs, t.worker,
      (extract(epoch from now() - t.stop_requested_at) * 1000)::float8 as "stoppingMs",
      t.full_seconds as "fullSeconds", t.rung, t.rung_size as "rungSize", t.planned_seconds as "plannedSeconds", t.refits, t.seconds::float8 as seconds,
      t.score, t.error, t.params_id is not null as "hasParams", t.validation_hash as "validationHash",
      t.start as "initialWeights", (select p.number from rafiki.trial p where p.id = t.parent_id) as parent, t.warm_share as "warmShare",
      case when t.ended_at is null or row_number() over latest <= $2 or row_number() over best <= $3
           then array(select r.score from rafiki.report r where r.trial_id = t.id order by r.epoch)
           else array_remove(array[t.score], null) end as scores
    from rafiki.trial t where t.study_id = $1
    window latest as (partition by t.family order by t.number desc),
      best as (partition by t.family order by t.params_id is null, t.score desc nulls last, t.id)
    order by t.number`;
  return on.query(sql, [studyId, MAX_PEERS, CANDIDATES_OF_FAMILY]);
}

export interface NewTrial {
  studyId: number;
  number: number;
  family: string;
  knobs: Knobs;
  seed: number;
  /** Random, weights that are published when it begins, or those of the trial that it continues or repeats. */
  initialWeights: 'random' | 'open' | 'chosen';
  /** Its place in a study with rungs. */
  rung?: RungPlace;
  /** Id of the trial whose network it trains again on all rows. */
  refits?: number;
}

/** The place of a trial in a study with rungs. */
export interface RungPlace {
  /** 1-based. */
  number: number;
  size: number | null;
  plannedSeconds: number | null;
  /** Id of the trial of the rung before from whose weights it continues; null in the first rung. */
  continues: number | null;
}

const newTrial = `
  with added as (
    insert into rafiki.trial (study_id, number, family, knobs, seed, start, rung, rung_size, planned_seconds, parent_id, refits)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    on conflict (study_id, number) do nothing returning id, parent_id, refits
  ), source as (
    insert into rafiki.trial_start (trial_id, rank, params_id, parent_id)
    select a.id, 1, p.published_id, p.id from added a join rafiki.trial p on p.id = a.parent_id
    where p.published_id is not null
    union all -- a refit starts where its trial started, unless it continues
    select a.id, s.rank, s.params_id, s.parent_id from added a join rafiki.trial_start s on s.trial_id = a.refits
    where a.parent_id is null
  )
  select id from added`;

/** False if the number is in use. */
export async function insertTrial(on: Queryable, trial: NewTrial): Promise<boolean> {
  const { studyId, number, family, knobs, seed, initialWeights, rung, refits = null } = trial;
  const continues = rung?.continues ?? null;
  const place = [rung?.number ?? null, rung?.size ?? null, rung?.plannedSeconds ?? null, continues, refits];
  return (
    (await on.query(newTrial, [studyId, number, family, JSON.stringify(knobs), seed, initialWeights, ...place]))
      .length > 0
  );
}

/** One that waits is ended by the next worker. */
export async function requestStop(on: Queryable, trialId: number): Promise<void> {
  const sql = `
    update rafiki.trial set stop_requested = true, stop_requested_at = coalesce(stop_requested_at, now())
    where id = $1 and state in ('waiting', 'running')`;
  await on.query(sql, [trialId]);
}

/** A process's claim of a trial: a write with another process or attempt than the row's changes nothing. */
export interface Ownership {
  trialId: number;
  attempt: number;
  processId: number;
}

/** What a worker learns of its trial with each heartbeat. */
interface Lease {
  /** Whether the trial is to stop. */
  stop: boolean;
  /** Whether its study is paused. */
  paused: boolean;
  /** Until the study's max_time has passed; negative after it. */
  secondsLeft: number;
}

/** Extends the lease; undefined if another process has the trial, it was cancelled, or its study has ended. */
export async function renewLease(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
): Promise<Lease | undefined> {
  const sql = `
    update rafiki.trial t set lease_until = now() + $4 * interval '1 ms', overdue_looks = 0
    from rafiki.study s
    where t.id = $1 and t.attempt = $2 and t.process_id = $3 and t.state = 'running'
      and s.id = t.study_id and s.state in ('queued', 'running')
    returning t.stop_requested as stop, s.paused_at is not null as paused,
      extract(epoch from s.max_time - rafiki._study_time(
        (select min(b.started_at) from rafiki.trial b where b.study_id = s.id), s.paused_at, s.paused_for))::float8 as "secondsLeft"`;
  const [row] = await on.query<Lease>(sql, [trialId, attempt, processId, LEASE_MS]);
  return row;
}

const checkpoint = `
  with before as (
    select id, checkpoint_id from rafiki.trial
    where id = $1 and attempt = $2 and process_id = $3 and state = 'running' for update
  ), replaced as (
    delete from rafiki.params p using before b where p.id = b.checkpoint_id and p.id <> $4
  )
  update rafiki.trial t set checkpoint_id = $4, checkpoint_attempt = $2, checkpoint_epoch = epoch from before b where t.id = b.id returning t.id`;

/** Sets the newest checkpoint and deletes the previous one; false if the process no longer owns the trial. */
export async function setCheckpoint(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
  paramsId: number,
): Promise<boolean> {
  return (await on.query(checkpoint, [trialId, attempt, processId, paramsId])).length > 0;
}

/**
 * Sets what is trained, how long it takes on one worker, and how long it has in its rung, in seconds. Other workers may join from now on.
 * False if the trial is no longer this worker's.
 */
export async function setFitted(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
  { knobs, fullSeconds, rung, rungSize, plannedSeconds }: FittedPlace,
): Promise<boolean> {
  const sql = `
    update rafiki.trial set knobs = $4, full_seconds = $5, rung = $6, rung_size = coalesce(rung_size, $7),
      planned_seconds = coalesce(planned_seconds, $8)
    where id = $1 and attempt = $2 and process_id = $3 and state = 'running' returning id`;
  const values = [trialId, attempt, processId, JSON.stringify(knobs), fullSeconds, rung, rungSize, plannedSeconds];
  return (await on.query(sql, values)).length > 0;
}

interface FittedPlace extends Pick<TrialRow, 'rung' | 'rungSize' | 'plannedSeconds'> {
  knobs: Knobs;
  fullSeconds: number;
}

export interface OverdueTrial {
  id: number;
  attempt: number;
  processId: number | null;
  /** Number of checks at which the lease had expired, including this one. */
  checks: number;
  /** Whether it ends later than any lease that is given now: the clock of the database was set back. Its worker may be alive. */
  isAhead: boolean;
}

/** Running trials whose lease has expired, or was given before the clock was set back; counts this check for each. */
export function countOverdue(on: Queryable): Promise<OverdueTrial[]> {
  const sql = `
    update rafiki.trial set overdue_looks = overdue_looks + 1
    where state = 'running' and lease_until not between now() and now() + 2 * $1 * interval '1 ms'
    returning id, attempt, process_id as "processId", overdue_looks as checks, lease_until > now() as "isAhead"`;
  return on.query(sql, [LEASE_MS]);
}

/** Trials that wait or run although their study has ended; each state has its own index. */
export function selectStray(on: Queryable): Promise<{ id: number; state: TrialState }[]> {
  const sql = `
    select t.id, t.state from (
      select id, study_id, state from rafiki.trial where state = 'waiting'
      union all
      select id, study_id, state from rafiki.trial where state = 'running') t
    join rafiki.study s on s.id = t.study_id
    where s.state not in ('queued', 'running') order by t.id`;
  return on.query(sql);
}
