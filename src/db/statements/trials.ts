import type { Knobs } from '../../domain/hyper-space.ts';
import type { Precision } from '../../domain/precision.ts';
import type { TrialState } from '../../domain/state.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Queryable } from '../database.ts';

/** How long a worker owns a trial without being heard of. */
export const LEASE_MS = 15_000;

/** A trial as the coordinator sees it. */
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
  score: number | null;
  error: ErrorReport | null;
  hasParams: boolean;
  validationHash: Buffer | null;
  /** Its first weights: random, still to be chosen, or chosen among what was published. */
  start: 'random' | 'open' | 'chosen';
  /** Number of the trial that most of them came from, and the share that came from any. */
  parent: number | null;
  warmShare: number | null;
  /** Validation score of each epoch reported. */
  scores: number[];
}

export function selectTrials(on: Queryable, studyId: number): Promise<TrialRow[]> {
  const sql = `
    select t.id, t.number, t.family, t.knobs, t.state, t.attempt, t.stop_requested as "stopRequested", t.epoch, t.epochs,
      t.score, t.error, t.params_id is not null as "hasParams", t.validation_hash as "validationHash",
      t.start, (select p.number from rafiki.trial p where p.id = t.parent_id) as parent, t.warm_share as "warmShare",
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
  /** At random, or from weights that are published when it begins. */
  start: 'random' | 'open';
}

/** False when that number is taken already. */
export async function insertTrial(on: Queryable, trial: NewTrial): Promise<boolean> {
  const sql = `
    insert into rafiki.trial (study_id, number, family, knobs, seed, start) values ($1, $2, $3, $4, $5, $6)
    on conflict (study_id, number) do nothing returning id`;
  const { studyId, number, family, knobs, seed, start } = trial;
  return (await on.query(sql, [studyId, number, family, JSON.stringify(knobs), seed, start])).length > 0;
}

export async function requestStop(on: Queryable, trialId: number): Promise<void> {
  await on.query(`update rafiki.trial set stop_requested = true where id = $1 and state = 'running'`, [trialId]);
}

/** Who owns a trial: a write that names another process or attempt than the row changes nothing. */
export interface Ownership {
  trialId: number;
  attempt: number;
  processId: number;
}

/**
 * Extends the lease; undefined when it went to somebody else, the trial was cancelled, or its study has ended. Says whether it is to
 * stop, or its study is paused.
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
  update rafiki.trial t set checkpoint_id = $4 from before b where t.id = b.id returning t.id`;

/** Names the newest checkpoint and drops the one before; false when the trial is no longer ours. */
export async function setCheckpoint(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
  paramsId: number,
): Promise<boolean> {
  return (await on.query(checkpoint, [trialId, attempt, processId, paramsId])).length > 0;
}

/** What is trained in place of what was proposed; false when the trial is no longer ours. */
export async function setKnobs(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
  knobs: Knobs,
): Promise<boolean> {
  const sql = `
    update rafiki.trial set knobs = $4 where id = $1 and attempt = $2 and process_id = $3 and state = 'running'
    returning id`;
  return (await on.query(sql, [trialId, attempt, processId, JSON.stringify(knobs)])).length > 0;
}

export interface OverdueTrial {
  id: number;
  attempt: number;
  processId: number | null;
  /** How often that was seen, now included. */
  looks: number;
}

/** Running trials whose worker was not heard of in time; notes that they were seen. */
export function noteOverdue(on: Queryable): Promise<OverdueTrial[]> {
  const sql = `
    update rafiki.trial set overdue_looks = overdue_looks + 1 where state = 'running' and lease_until < now()
    returning id, attempt, process_id as "processId", overdue_looks as looks`;
  return on.query(sql);
}

/** Trials that wait or run although their study has ended; each state has an index of its own. */
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

/** The given trials with what they predicted, best first. */
export function selectVotes(on: Queryable, trialIds: readonly number[]): Promise<TrialVotes[]> {
  const sql = `
    select id, family, 'float32' as precision, score, params_id as "paramsId", predictions from rafiki.trial
    where id = any($1) order by score desc, id`;
  return on.query(sql, [trialIds]);
}

/** Their variants with what those predicted, best first. */
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

/** Left out where the trial has one already. */
export async function insertVariant(on: Queryable, variant: NewVariant): Promise<void> {
  const sql = `
    insert into rafiki.trial_variant (trial_id, precision, score, params_id, predictions) values ($1, $2, $3, $4, $5)
    on conflict do nothing`;
  const { trialId, precision, score, paramsId, predictions } = variant;
  await on.query(sql, [trialId, precision, score, paramsId, predictions]);
}
