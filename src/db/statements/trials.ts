import type { Knobs } from '../../domain/hyper-space.ts';
import type { Precision } from '../../domain/precision.ts';
import type { TrialState } from '../../domain/state.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Queryable } from '../database.ts';

/** Time without renewal after which a worker loses its trial. */
export const LEASE_MS = 15_000;

/** A trial with all that the coordinator decides by. */
export interface TrialRow {
  id: number;
  number: number;
  family: string;
  knobs: Knobs;
  state: TrialState;
  attempt: number;
  stopRequested: boolean;
  epoch: number;
  epochs: number | null;
  /** Seconds that the whole trial takes on one worker; 0 if it is quick, null before that is measured. */
  fullSeconds: number | null;
  score: number | null;
  error: ErrorReport | null;
  hasParams: boolean;
  validationHash: Buffer | null;
  /** Random, still to be chosen, or chosen among the published weights. */
  initialWeights: 'random' | 'open' | 'chosen';
  /** Number of the trial that contributed most of them, and the share contributed by all. */
  parent: number | null;
  warmShare: number | null;
  /** Validation score of each epoch reported. */
  scores: number[];
}

export function selectTrials(on: Queryable, studyId: number): Promise<TrialRow[]> {
  const sql = `
    select t.id, t.number, t.family, t.knobs, t.state, t.attempt, t.stop_requested as "stopRequested", t.epoch, t.epochs,
      t.full_seconds as "fullSeconds",
      t.score, t.error, t.params_id is not null as "hasParams", t.validation_hash as "validationHash",
      t.start as "initialWeights", (select p.number from rafiki.trial p where p.id = t.parent_id) as parent, t.warm_share as "warmShare",
      array(select r.score from rafiki.report r where r.trial_id = t.id order by r.epoch) as scores
    from rafiki.trial t where t.study_id = $1 order by t.number`;
  return on.query(sql, [studyId]);
}

export interface NewTrial {
  studyId: number;
  number: number;
  family: string;
  knobs: Knobs;
  seed: number;
  /** Random, or weights that are published when it begins. */
  initialWeights: 'random' | 'open';
}

/** False if the number is in use. */
export async function insertTrial(on: Queryable, trial: NewTrial): Promise<boolean> {
  const sql = `
    insert into rafiki.trial (study_id, number, family, knobs, seed, start) values ($1, $2, $3, $4, $5, $6)
    on conflict (study_id, number) do nothing returning id`;
  const { studyId, number, family, knobs, seed, initialWeights } = trial;
  return (await on.query(sql, [studyId, number, family, JSON.stringify(knobs), seed, initialWeights])).length > 0;
}

export async function requestStop(on: Queryable, trialId: number): Promise<void> {
  await on.query(`update rafiki.trial set stop_requested = true where id = $1 and state = 'running'`, [trialId]);
}

/** A process's claim of a trial: a write with another process or attempt than the row's changes nothing. */
export interface Ownership {
  trialId: number;
  attempt: number;
  processId: number;
}

/**
 * Extends the lease, and returns whether the trial is to stop, and whether its study is paused; undefined if another process has the
 * trial, it was cancelled, or its study has ended.
 */
export async function renewLease(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
): Promise<{ stop: boolean; paused: boolean } | undefined> {
  const sql = `
    update rafiki.trial t set lease_until = now() + $4 * interval '1 ms', overdue_looks = 0
    where id = $1 and attempt = $2 and process_id = $3 and state = 'running'
      and exists (select from rafiki.study s where s.id = t.study_id and s.state in ('queued', 'running'))
    returning stop_requested as stop, (select s.paused_at is not null from rafiki.study s where s.id = t.study_id) as paused`;
  const [row] = await on.query<{ stop: boolean; paused: boolean }>(sql, [trialId, attempt, processId, LEASE_MS]);
  return row;
}

const checkpoint = `
  with before as (
    select id, checkpoint_id from rafiki.trial
    where id = $1 and attempt = $2 and process_id = $3 and state = 'running' for update
  ), replaced as (
    delete from rafiki.params p using before b where p.id = b.checkpoint_id and p.id <> $4
  )
  update rafiki.trial t set checkpoint_id = $4, checkpoint_attempt = $2 from before b where t.id = b.id returning t.id`;

/** Sets the newest checkpoint and deletes the previous one; false if the process no longer owns the trial. */
export async function setCheckpoint(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
  paramsId: number,
): Promise<boolean> {
  return (await on.query(checkpoint, [trialId, attempt, processId, paramsId])).length > 0;
}

/**
 * Sets what is trained, and how long it takes on one worker, in seconds. Other workers may join from now on. False if the
 * trial is no longer this worker's.
 */
export async function setFitted(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
  { knobs, fullSeconds }: { knobs: Knobs; fullSeconds: number },
): Promise<boolean> {
  const sql = `
    update rafiki.trial set knobs = $4, full_seconds = $5
    where id = $1 and attempt = $2 and process_id = $3 and state = 'running' returning id`;
  return (await on.query(sql, [trialId, attempt, processId, JSON.stringify(knobs), fullSeconds])).length > 0;
}

export interface OverdueTrial {
  id: number;
  attempt: number;
  processId: number | null;
  /** Number of checks at which the lease had expired, including this one. */
  checks: number;
}

/** Running trials whose lease has expired; counts this check for each. */
export function countOverdue(on: Queryable): Promise<OverdueTrial[]> {
  const sql = `
    update rafiki.trial set overdue_looks = overdue_looks + 1 where state = 'running' and lease_until < now()
    returning id, attempt, process_id as "processId", overdue_looks as checks`;
  return on.query(sql);
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

export interface TrialVotes {
  id: number;
  family: string;
  precision: Precision;
  score: number;
  paramsId: number;
  predictions: Buffer;
}

/** The trials with their predictions for the validation rows, best first. */
export function selectVotes(on: Queryable, trialIds: readonly number[]): Promise<TrialVotes[]> {
  const sql = `
    select id, family, 'float32' as precision, score, params_id as "paramsId", predictions from rafiki.trial
    where id = any($1) order by score desc, id`;
  return on.query(sql, [trialIds]);
}

/** The trials' variants with their predictions, best first. */
export function selectVariantVotes(on: Queryable, trialIds: readonly number[]): Promise<TrialVotes[]> {
  const sql = `
    select t.id, t.family, v.precision, v.score, v.params_id as "paramsId", v.predictions
    from rafiki.trial_variant v join rafiki.trial t on t.id = v.trial_id
    where t.id = any($1) order by v.score desc, t.id`;
  return on.query(sql, [trialIds]);
}

export interface NewVariant {
  trialId: number;
  precision: Precision;
  score: number;
  paramsId: number;
  predictions: Buffer;
}

/** Writes nothing if the trial has one already. */
export async function insertVariant(on: Queryable, variant: NewVariant): Promise<void> {
  const sql = `
    insert into rafiki.trial_variant (trial_id, precision, score, params_id, predictions) values ($1, $2, $3, $4, $5)
    on conflict do nothing`;
  const { trialId, precision, score, paramsId, predictions } = variant;
  await on.query(sql, [trialId, precision, score, paramsId, predictions]);
}
