import type { SearchSpace } from '../advisors/advisor.ts';
import { advisorByName } from '../advisors/registry.ts';
import type { Connection, Queryable } from '../db/database.ts';
import { isTransient } from '../db/persist.ts';
import { type Mover, moveStudy, moveTrial } from '../db/statements/moves.ts';
import { countIdleWorkers } from '../db/statements/processes.ts';
import { dropStudyParams, type Study, selectOpenStudies, setClosed, setIncumbent } from '../db/statements/studies.ts';
import { insertTrial, requestStop, selectTrials, type Trial } from '../db/statements/trials.ts';
import { InvalidParameter } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { familiesFor } from '../models/registry.ts';
import type { Logger } from '../runtime/logger.ts';
import { awaitDeployment, conclude } from './conclude.ts';
import { type Action, planStudy } from './plan.ts';

/** Moves every open study on by what its rows ask for now; true when one went into another phase, so there is more to do. */
export async function keepStudies(connection: Connection, logger: Logger): Promise<boolean> {
  let moved = false;
  for (const study of await selectOpenStudies(connection)) {
    try {
      moved = (await keepStudy(connection, study, logger)) || moved;
    } catch (error) {
      if (isTransient(error)) throw error; // the connection, and leadership with it, may be gone
      logger.error({ study: study.id, err: reportError(error) }, 'the study cannot go on');
      await moveStudy(
        { on: connection, logger },
        { id: study.id, from: study.state, event: 'fail', error: reportError(error) },
      );
    }
  }
  return moved;
}

async function keepStudy(connection: Connection, study: Study, logger: Logger): Promise<boolean> {
  const trials = await selectTrials(connection, study.id);
  const idleWorkers = await countIdleWorkers(connection);
  const actions = planStudy({ study, trials, search: searchOf(study), idleWorkers }, advisorByName(study.advisor));
  if (actions.length === 0) return false;
  // one commit, and so one notification, for as many trials as workers are idle: Postgres commits what notifies one at a time
  await inTransaction(connection, async (on) => {
    for (const action of actions) await act({ on, logger }, { study, trials, action });
  });
  return actions.some(({ kind }) => kind === 'start' || kind === 'close' || kind === 'conclude');
}

interface Step {
  study: Study;
  trials: readonly Trial[];
  action: Action;
}

async function act(mover: Mover, { study, trials, action }: Step): Promise<void> {
  const { on, logger } = mover;
  switch (action.kind) {
    case 'start':
      await setIncumbent(on, study.id);
      await moveStudy(mover, { id: study.id, from: 'queued', event: 'start' });
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
      await moveTrial(mover, { id: action.trial.id, from: action.trial.state, event: 'cancel' });
      return;
    case 'conclude':
      return conclude(mover, study, trials);
    case 'await-deployment':
      return awaitDeployment(mover, study);
    case 'cancel':
      await dropStudyParams(on, study.id);
      await moveStudy(mover, { id: study.id, from: study.state, event: 'cancel' });
      return;
    case 'fail':
      await dropStudyParams(on, study.id);
      await moveStudy(mover, { id: study.id, from: study.state, event: 'fail', error: action.error });
      return;
  }
}

/** The families that the study may try: those that its owner named, or all of its task that it has room for. */
function searchOf({ task, families, knobs, seed, maxTrials }: Study): SearchSpace {
  const chosen = familiesFor(task).filter(({ name, leastTrials = 0 }) =>
    families === null ? leastTrials <= maxTrials : families.includes(name),
  );
  if (chosen.length === 0) {
    throw new InvalidParameter('the study names no family that this version has', {
      detail: `families: ${families?.join(', ')}`,
      hint: 'rafiki_knobs(task) lists the families.',
    });
  }
  return { families: chosen.map(({ name, space }) => ({ name, space: space(task) })), overrides: knobs, seed };
}

/** All of it on the leader's own connection: a lost connection is lost leadership, and nothing is written any more. */
async function inTransaction(connection: Connection, work: (on: Queryable) => Promise<void>): Promise<void> {
  await connection.query('begin');
  try {
    await work(connection);
    await connection.query('commit');
  } catch (error) {
    await connection.query('rollback').catch(() => undefined); // a connection that is gone has rolled back
    throw error;
  }
}
