import type { Knobs } from '../../domain/hyper-space.ts';
import type { TrialState } from '../../domain/state.ts';
import type { Task } from '../../domain/task.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Queryable } from '../database.ts';
import { knownTask } from './studies.ts';

/** How long a worker owns a trial without being heard of. */
export const LEASE_MS = 15_000;

/** A trial as the coordinator sees it. */
export interface Trial {
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
  /** Share of its first weights that came from other trials. */
  warmShare: number | null;
  /** Validation score of each epoch reported. */
  scores: number[];
}

export function selectTrials(on: Queryable, studyId: number): Promise<Trial[]> {
  const sql = `
    select t.id, t.number, t.family, t.knobs, t.state, t.attempt, t.stop_requested as "stopRequested", t.epoch, t.epochs,
      t.score, t.error, t.params_id is not null as "hasParams", t.validation_hash as "validationHash",
      t.warm_share as "warmShare",
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

/** All that a worker needs to know of the trial that it claimed. */
export interface ClaimedTrial extends Ownership {
  number: number;
  family: string;
  knobs: Knobs;
  seed: number;
  /** What its first weights are: random, still to be chosen among what is published, or chosen by an earlier attempt. */
  start: 'random' | 'open' | 'chosen';
  checkpointId: number | null;
  study: {
    id: number;
    createdAt: string;
    task: Task;
    validation: number;
    collaborative: boolean;
    /** Until its max_time is over. */
    secondsLeft: number;
  };
  /** The deployed version that the study's model is compared with, while nobody has scored it. */
  incumbentId: number | null;
}

/** How long a trial waits for a worker that holds its study's data, while another one has none to do. */
const LOCAL_MS = 10_000;

/**
 * Studies in the order of whose turn it is, then the oldest trial of the first that has one nobody else is taking. What
 * asks for a GPU comes first, then what this machine has the data of, unless nobody is at that study or its trial has
 * waited for long; then the study with the fewest running trials, and of those the one whose turn is longest ago. `offset
 * 0` keeps that order, and `limit 1` ends the loop over it, so that only one row is locked.
 */
const claim = `
  with next as (
    select t.id
    from (
      select s.id
      from rafiki.process p
      join rafiki.study s on s.state in ('queued', 'running') and (not s.gpu or p.device <> 'cpu')
      cross join lateral (
        select t.created_at < now() - $5 * interval '1 ms' as long from rafiki.trial t
        where t.study_id = s.id and t.state = 'waiting' order by t.created_at, t.id limit 1) waits
      cross join lateral (
        select count(*) as trials from rafiki.trial t where t.study_id = s.id and t.state = 'running') running
      where p.id = $1
      order by s.gpu desc, (s.id = any($4) or running.trials = 0 or waits.long) desc, running.trials,
        (select max(t.started_at) from rafiki.trial t where t.study_id = s.id) nulls first, s.id
      offset 0
    ) s
    cross join lateral (
      select t.id from rafiki.trial t
      where t.study_id = s.id and t.state = 'waiting' and t.family = any($3)
      order by t.created_at, t.id for update skip locked limit 1) t
    limit 1
  ), claimed as (
    update rafiki.trial t
    set state = 'running', process_id = $1, lease_until = now() + $2 * interval '1 ms', started_at = coalesce(started_at, now())
    from next where t.id = next.id
    returning t.*
  )
  select c.id as "trialId", c.attempt, c.process_id as "processId", c.number, c.family, c.knobs, c.seed, c.start,
    c.checkpoint_id as "checkpointId",
    jsonb_build_object('id', s.id, 'createdAt', extract(epoch from s.created_at)::text, 'task', s.task,
      'validation', s.validation, 'collaborative', s.collaborative,
      'secondsLeft', extract(epoch from coalesce(s.started_at, now()) + s.max_time - now())::float8) as study,
    case when s.incumbent_score is null then s.incumbent_id end as "incumbentId"
  from claimed c join rafiki.study s on s.id = c.study_id`;

/** What a worker can do. */
export interface Ability {
  families: readonly string[];
  /** Studies whose data its machine holds. */
  held?: readonly number[];
}

/** Takes a waiting trial of a family that this worker has, each study in its turn: two workers never get the same one. */
export async function claimTrial(
  on: Queryable,
  processId: number,
  { families, held = [] }: Ability,
): Promise<ClaimedTrial | undefined> {
  const [row] = await on.query<ClaimedTrial>(claim, [processId, LEASE_MS, families, held, LOCAL_MS]);
  return row && { ...row, study: { ...row.study, task: knownTask(row.study.task) } };
}

/** Extends the lease; undefined when it went to somebody else, or the trial was cancelled. */
export async function renewLease(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
): Promise<{ stop: boolean } | undefined> {
  const sql = `
    update rafiki.trial set lease_until = now() + $4 * interval '1 ms'
    where id = $1 and attempt = $2 and process_id = $3 and state = 'running'
    returning stop_requested as stop`;
  const [row] = await on.query<{ stop: boolean }>(sql, [trialId, attempt, processId, LEASE_MS]);
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

/** Running trials whose worker was not heard of in time. */
export function selectExpired(on: Queryable): Promise<{ id: number; attempt: number; processId: number | null }[]> {
  const sql = `
    select id, attempt, process_id as "processId" from rafiki.trial
    where state = 'running' and lease_until < now() order by id`;
  return on.query(sql);
}

export interface TrialVotes {
  id: number;
  family: string;
  score: number;
  paramsId: number;
  predictions: Buffer;
}

/** The given trials with what they predicted, best first. */
export function selectVotes(on: Queryable, trialIds: readonly number[]): Promise<TrialVotes[]> {
  const sql = `
    select id, family, score, params_id as "paramsId", predictions from rafiki.trial
    where id = any($1) order by score desc, id`;
  return on.query(sql, [trialIds]);
}
