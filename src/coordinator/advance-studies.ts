import { advisorByName } from '../advisors/registry.ts';
import type { Connection, Queryable } from '../db/database.ts';
import { isLocked, isTransient } from '../db/persist.ts';
import { translatePostgresError } from '../db/postgres-error.ts';
import { setExperience } from '../db/statements/experience.ts';
import { selectWorkerFamilies, type WorkerFamily } from '../db/statements/families.ts';
import { lockLeadership } from '../db/statements/leadership.ts';
import { countIdleWorkers } from '../db/statements/processes.ts';
import {
  dropStudyParams,
  lockStudy,
  type Study,
  selectOpenStudies,
  setClosed,
  setEncoders,
  setIncumbent,
  setPlan,
} from '../db/statements/studies.ts';
import { type TransitionContext, transitionStudy, transitionTrial } from '../db/statements/transitions.ts';
import { insertTrial, requestStop, selectTrials, type TrialRow } from '../db/statements/trials.ts';
import { LeaseLost, RowLocked } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import type { Logger } from '../runtime/logger.ts';
import { awaitDeployment, conclude } from './conclude.ts';
import { describePlan } from './describe-plan.ts';
import { type Action, planStudy } from './plan.ts';
import { refitReserve, withoutRefits } from './refits.ts';
import { searchOf } from './search-of.ts';

/** The leading coordinator. */
export interface Leader {
  connection: Connection;
  /** Its process id in the database, which holds the leadership. */
  processId: number;
  logger: Logger;
}

/** Advances every open study. Returns true if one changed its phase, so that there is more to do. */
export async function advanceStudies(leader: Leader): Promise<boolean> {
  const { connection } = leader;
  let moved = false;
  const open = await selectOpenStudies(connection);
  const ofWorkers = open.length === 0 ? [] : await selectWorkerFamilies(connection);
  for (const study of open) {
    try {
      moved = (await advanceStudy(leader, study, ofWorkers)) || moved;
    } catch (error) {
      await failStudy(leader, study, translatePostgresError(error));
    }
  }
  return moved;
}

/** Fails a study that cannot continue; others continue. Throws if the cause concerns all of them. */
async function failStudy(leader: Leader, { id, state }: Study, error: unknown): Promise<void> {
  const { logger } = leader;
  if (isLocked(error)) return; // retried at the next tick
  if (isTransient(error) || error instanceof LeaseLost) throw error; // the connection, or the lead, may be gone
  logger.error({ study: id, err: reportError(error) }, 'the study cannot continue');
  try {
    const failed = { id, from: state, event: 'fail', error: reportError(error) } as const;
    await inTransaction(leader, async (on) => {
      if (await transitionStudy({ on, logger }, failed)) await dropStudyParams(on, id);
    });
  } catch (failure) {
    if (isTransient(failure) || failure instanceof LeaseLost) throw failure;
    logger.error(
      { study: id, err: reportError(translatePostgresError(failure)) },
      'the study cannot be marked as failed',
    );
  }
}

async function advanceStudy(leader: Leader, study: Study, ofWorkers: readonly WorkerFamily[]): Promise<boolean> {
  const { connection, logger } = leader;
  const trials = await selectTrials(connection, study.id);
  const idleWorkers = await countIdleWorkers(connection, study);
  const view = { study, trials, ...searchOf(study, ofWorkers), idleWorkers };
  const described = { plan: describePlan(view), refitSeconds: refitReserve(study, withoutRefits(trials)) };
  const isChanged = described.plan !== study.plan || described.refitSeconds !== study.refitSeconds;
  const actions = planStudy(view, advisorByName(study.advisor));
  if (actions.length === 0 && !isChanged) return false;
  // One commit for the trials of all idle workers, and so one notification: Postgres serialises commits that notify.
  await inTransaction(leader, async (on) => {
    await lockStudy(on, study);
    if (isChanged) await setPlan(on, study.id, described);
    for (const action of actions) await execute({ on, logger }, { study, trials, action });
  });
  return actions.some(({ kind }) => kind === 'start' || kind === 'close' || kind === 'conclude');
}

interface StudyAction {
  study: Study;
  trials: readonly TrialRow[];
  action: Action;
}

async function execute(context: TransitionContext, { study, trials, action }: StudyAction): Promise<void> {
  const { on, logger } = context;
  switch (action.kind) {
    case 'start':
      await setIncumbent(on, study.id);
      await setExperience(on, study.id);
      await setEncoders(on, study.id);
      await transitionStudy(context, { id: study.id, from: 'queued', event: 'start' });
      return;
    case 'propose':
      await insertTrial(on, action.trial);
      logger.info({ study: study.id, number: action.trial.number, family: action.trial.family }, 'trial proposed');
      return;
    case 'close':
      logger.info({ study: study.id, why: action.why }, 'no further trial');
      return setClosed(on, study.id, action.why);
    case 'stop-trial':
      logger.info({ trial: action.trial.id, why: action.why }, 'stop requested');
      return requestStop(on, action.trial.id);
    case 'cancel-trial':
      return cancelTrial(context, action.trial);
    case 'conclude':
      return conclude(context, study, trials);
    case 'await-deployment':
      return awaitDeployment(context, study);
    case 'cancel':
      await dropStudyParams(on, study.id);
      await transitionStudy(context, { id: study.id, from: study.state, event: 'cancel' });
      return;
    case 'fail':
      await dropStudyParams(on, study.id);
      await transitionStudy(context, { id: study.id, from: study.state, event: 'fail', error: action.error });
      return;
  }
}

/** If a worker claimed or ended the trial meanwhile, the plan is outdated: none of it is executed. */
async function cancelTrial(context: TransitionContext, { id, state }: TrialRow): Promise<void> {
  if (await transitionTrial(context, { id, from: state, event: 'cancel' })) return;
  throw new RowLocked(`trial ${id} is locked by another session`);
}

/** Rolled back if another coordinator has taken the leadership. */
async function inTransaction(
  { connection, processId }: Leader,
  work: (on: Queryable) => Promise<unknown>,
): Promise<void> {
  await connection.query('begin');
  try {
    await lockLeadership(connection, processId);
    await work(connection);
    await connection.query('commit');
  } catch (error) {
    await connection.query('rollback').catch(() => undefined); // a lost connection has rolled back
    throw error;
  }
}
