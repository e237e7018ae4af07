import { MAX_ATTEMPTS } from '../../domain/leases.ts';
import {
  type DeploymentEvent,
  type DeploymentState,
  deploymentTable,
  type StudyEvent,
  type StudyState,
  studyEnded,
  studyTable,
  type TrialEvent,
  type TrialState,
  transition,
  trialEnded,
  trialTable,
} from '../../domain/state.ts';
import { InvalidState } from '../../errors/errors.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Queryable } from '../database.ts';
import type { Ownership } from './trials.ts';

/** A connection, and the logger of the changes made with it. */
export interface TransitionContext {
  on: Queryable;
  logger: Logger;
}

interface Transition<S, E> {
  id: number;
  from: S;
  event: E;
}

export interface StudyTransition extends Transition<StudyState, StudyEvent> {
  error?: ErrorReport;
}

export interface DeploymentTransition extends Transition<DeploymentState, DeploymentEvent> {
  error?: ErrorReport;
}

/** A trial's change of state with what is written in the same statement. */
export interface TrialTransition extends Transition<TrialState, TrialEvent> {
  /** If set, the change requires that this process still owns the trial. */
  owner?: Ownership;
  error?: ErrorReport;
  attempt?: number;
  result?: {
    epoch: number;
    seconds: number;
    paramsId: number;
    /** Null for a refit. */
    scored: { score: number; predictions: Buffer; keptAnswers: Buffer | null; validationHash: Buffer } | null;
  };
}

/** Changes a study's state; false if it was no longer in state `from`. */
export async function transitionStudy(
  { on, logger }: TransitionContext,
  { id, from, event, error }: StudyTransition,
): Promise<boolean> {
  const to = next(transition(studyTable, from, event), `study ${id}`, from, event);
  const rows = await on.query(
    `update rafiki.study set state = $3, error = coalesce($4, error),
       started_at = case when $2 = 'queued' then now() else started_at end,
       ended_at = case when $5 then now() end
     where id = $1 and state = $2 returning id`,
    [id, from, to, error === undefined ? null : JSON.stringify(error), studyEnded(to)],
  );
  return logChange(logger, rows, { study: id, from, to, ...(error === undefined ? {} : { err: error.message }) });
}

/**
 * Of a trial that is given back: its study's time begins with the first that is trained, and not with one whose worker could read no rows.
 * Pauses that were counted since it began would be no part of a later beginning.
 */
const neverTrained = `epoch = 0 and seconds is null and full_seconds is null and checkpoint_id is null
      and exists (select from rafiki.study s where s.id = study_id and s.paused_for = '0')`;

const updateTrialSql = `
  update rafiki.trial set state = $3,
    process_id = case when $3 = 'running' then process_id end,
    lease_until = case when $3 = 'running' then lease_until end,
    attempt = coalesce($4, attempt),
    started_at = case when $3 = 'waiting' and ${neverTrained} then null else started_at end,
    error = case when $3 = 'cancelled' then coalesce($5, error) else $5 end, -- keeps the last attempt's error
    ended_at = case when $6 then now() end,
    checkpoint_id = case when $6 then null else checkpoint_id end,
    score = coalesce($7, score),
    epoch = coalesce($8, epoch),
    seconds = coalesce($9, seconds),
    params_id = coalesce($10, params_id),
    predictions = coalesce($11, predictions),
    validation_hash = coalesce($12, validation_hash),
    kept_answers = coalesce($15, kept_answers)
  where id = $1 and state = $2 and ($13::int is null or (attempt = $13 and process_id = $14))
  returning id`;

/** Changes a trial's state; false if it was no longer in state `from`, or the owner has lost it. */
export async function transitionTrial({ on, logger }: TransitionContext, change: TrialTransition): Promise<boolean> {
  const { id, from, event, owner, error, attempt, result } = change;
  const to = next(transition(trialTable, from, event), `trial ${id}`, from, event);
  const rows = await on.query(updateTrialSql, [
    id,
    from,
    to,
    attempt ?? null,
    error === undefined ? null : JSON.stringify(error),
    trialEnded(to),
    result?.scored?.score ?? null,
    result?.epoch ?? null,
    result?.seconds ?? null,
    result?.paramsId ?? null,
    result?.scored?.predictions ?? null,
    result?.scored?.validationHash ?? null,
    owner?.attempt ?? null,
    owner?.processId ?? null,
    result?.scored?.keptAnswers ?? null,
  ]);
  return logChange(logger, rows, { trial: id, from, to, ...(error === undefined ? {} : { err: error.message }) });
}

/** Changes a deployment's state; false if it was no longer in state `from`. */
export async function transitionDeployment(
  { on, logger }: TransitionContext,
  { id, from, event, error }: DeploymentTransition,
): Promise<boolean> {
  const to = next(transition(deploymentTable, from, event), `deployment ${id}`, from, event);
  const rows = await on.query(
    `update rafiki.deployment set state = $3, error = $4,
       ready_at = case when $3 = 'ready' then now() else ready_at end,
       retired_at = case when $3 = 'retired' then now() else retired_at end
     where id = $1 and state = $2 returning id`,
    [id, from, to, error === undefined ? null : JSON.stringify(error)],
  );
  return logChange(logger, rows, { deployment: id, from, to });
}

/** The first attempt after the last one that stored a checkpoint; a long trial may lose any number of workers that got on with it. */
async function firstWithoutProgress(on: Queryable, id: number): Promise<number> {
  const sql = 'select coalesce(checkpoint_attempt + 1, 0) as first from rafiki.trial where id = $1';
  const [row] = await on.query<{ first: number }>(sql, [id]);
  return row?.first ?? 0;
}

/** Lets a trial whose worker was lost wait again, to continue from its last checkpoint; fails it after MAX_ATTEMPTS. */
export async function loseTrial(
  context: TransitionContext,
  trial: { id: number; attempt: number; owner?: Ownership },
  cause: string,
): Promise<boolean> {
  const { id, attempt, owner } = trial;
  const ownership = owner === undefined ? {} : { owner };
  if (attempt + 1 - (await firstWithoutProgress(context.on, id)) < MAX_ATTEMPTS) {
    return transitionTrial(context, { id, from: 'running', event: 'lose-lease', attempt: attempt + 1, ...ownership });
  }
  const error = {
    sqlstate: '58000',
    message: `the trial failed after ${MAX_ATTEMPTS} attempts without progress`,
    detail: cause,
    hint: 'See the log of the worker; too little memory is the usual cause.',
  };
  return transitionTrial(context, { id, from: 'running', event: 'fail', error, ...ownership });
}

function next<S extends string>(to: S | null, what: string, from: string, event: string): S {
  if (to !== null) return to;
  throw new InvalidState(`${what} cannot ${event}`, { detail: `It is ${from}.` });
}

interface Change extends Record<string, unknown> {
  from: string;
  to: string;
}

function logChange(logger: Logger, rows: readonly unknown[], change: Change): boolean {
  if (rows.length > 0) logger.info(change, `${change.from} → ${change.to}`);
  else logger.debug(change, 'the state had changed already');
  return rows.length > 0;
}
