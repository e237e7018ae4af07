import { advisorByName } from '../advisors/registry.ts';
import type { Connection, Queryable } from '../db/database.ts';
import { isLocked, isTransient } from '../db/persist.ts';
import { isOtherSchema, translatePostgresError } from '../db/postgres-error.ts';
import { setExperience } from '../db/statements/experience.ts';
import { selectWorkerFamilies, type WorkerFamily } from '../db/statements/families.ts';
import { lockLeadership } from '../db/statements/leadership.ts';
import { dropStudyParams } from '../db/statements/params.ts';
import { countIdleWorkers, type IdleWorkers } from '../db/statements/processes.ts';
import {
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
import { type Clock, systemClock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { awaitDeployment, conclude } from './conclude.ts';
import { describePlan } from './describe-plan.ts';
import { type Action, isAtRest, planStudy } from './plan.ts';
import { refitReserve, withoutRefits } from './refits.ts';
import { searchOf } from './search-of.ts';

/** The leading coordinator. */
export interface Leader {
  connection: Connection;
  /** Its process id in the database, which holds the leadership. */
  processId: number;
  logger: Logger;
}

/** How long a tick advances studies: the rest of it, and other coordinators, wait meanwhile. */
export const TURN_MS = 2_000;

/** The order in which studies are advanced: each tick goes on where the time of the last one was over. */
export class StudyTurns {
  readonly #clock: Clock;
  /** Of each open study the number of its last turn. */
  #turns: ReadonlyMap<number, number> = new Map();
  #number = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Studies until the time of a tick is over, one at least. */
  *take(open: readonly Study[]): Generator<Study> {
    const untilMs = this.#clock.nowMs() + TURN_MS;
    const turns = new Map(open.map(({ id }) => [id, this.#turns.get(id) ?? 0]));
    this.#turns = turns;
    for (const study of inTurns(open, turns)) {
      if (this.#clock.nowMs() >= untilMs) return;
      turns.set(study.id, ++this.#number);
      yield study;
    }
  }
}

/** Roles in turns, however many studies one has; of the studies of a role first the one whose last turn was longest ago. */
function inTurns(open: readonly Study[], turns: ReadonlyMap<number, number>): Study[] {
  const turnOf = ({ id }: Study): number => turns.get(id) ?? 0;
  const ofOwner = new Map<number, number>();
  return [...open]
    .sort((a, b) => turnOf(a) - turnOf(b))
    .map((study) => {
      const place = ofOwner.get(study.owner) ?? 0;
      ofOwner.set(study.owner, place + 1);
      return { study, place };
    })
    .sort((a, b) => a.place - b.place) // stable
    .map(({ study }) => study);
}

/** What a tick knows of the workers. */
interface KnownWorkers {
  families: readonly WorkerFamily[];
  idle: IdleWorkers;
}

/** Advances open studies. Returns true if one changed its phase, or the time was over before the last, so that there is more to do. */
export async function advanceStudies(leader: Leader, turns = new StudyTurns()): Promise<boolean> {
  const { connection } = leader;
  const open = await selectOpenStudies(connection);
  if (open.length === 0) return false;
  const workers = { families: await selectWorkerFamilies(connection), idle: await countIdleWorkers(connection) };
  let moved = false;
  let advanced = 0;
  for (const study of turns.take(open)) {
    advanced++;
    try {
      moved = (await advanceStudy(leader, study, workers)) || moved;
    } catch (error) {
      await failStudy(leader, study, error);
    }
  }
  return moved || advanced < open.length;
}

/** Fails a study that cannot continue; others continue. Throws if the cause concerns all of them. */
async function failStudy(leader: Leader, { id, state }: Study, error: unknown): Promise<void> {
  const { logger } = leader;
  if (isLocked(error)) return; // retried at the next tick
  if (concernsAll(error)) throw error;
  const report = reportError(translatePostgresError(error));
  logger.error({ study: id, err: report }, 'the study cannot continue');
  try {
    const failed = { id, from: state, event: 'fail', error: report } as const;
    await inTransaction(leader, async (on) => {
      if (await transitionStudy({ on, logger }, failed)) await dropStudyParams(on, id);
    });
  } catch (failure) {
    if (concernsAll(failure)) throw failure;
    logger.error(
      { study: id, err: reportError(translatePostgresError(failure)) },
      'the study cannot be marked as failed',
    );
  }
}

/** The connection or the lead may be gone, or the schema is another version's, whose coordinator then leads. */
const concernsAll = (error: unknown): boolean =>
  isTransient(error) || isOtherSchema(error) || error instanceof LeaseLost;

async function advanceStudy(leader: Leader, study: Study, { families, idle }: KnownWorkers): Promise<boolean> {
  if (isAtRest(study)) return false;
  const { connection, logger } = leader;
  const trials = study.state === 'queued' ? [] : await selectTrials(connection, study.id);
  const idleWorkers = study.gpu ? idle.gpu : idle.all;
  const view = { study, trials, ...searchOf(study, families), idleWorkers };
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
