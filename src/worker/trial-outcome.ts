import { isTransient } from '../db/persist.ts';
import { isOtherSchema, translatePostgresError } from '../db/postgres-error.ts';
import type { ClaimedTrial } from '../db/statements/claims.ts';
import { setReaderNotice } from '../db/statements/studies.ts';
import { loseTrial, transitionTrial } from '../db/statements/transitions.ts';
import { LeaseLost, ReaderRefused, WorkerNeeded } from '../errors/errors.ts';
import { isMachineFault } from '../errors/machine-fault.ts';
import { type ErrorReport, reportError } from '../errors/rafiki-error.ts';
import { type Finished, type Refitted, type ResultStorage, storeRefit, storeResult } from './result.ts';

/** How a trial ends on this worker. */
export type TrialOutcome =
  | ({ kind: 'finished' } & Finished)
  | ({ kind: 'refitted' } & Refitted)
  | { kind: 'failed'; error: ErrorReport }
  /** The training process died; the number of attempts decides whether there is another one. */
  | { kind: 'crashed'; cause: string }
  /** The worker stops, or is needed elsewhere: the trial waits for another worker, and the attempt does not count. */
  | { kind: 'released' }
  /** It goes on long after its study's time, and no coordinator has ended it. */
  | { kind: 'overdue' }
  /** This worker cannot read the source: as released, but the worker pauses before its next trial. */
  | { kind: 'refused'; error: ReaderRefused }
  /** The same if this machine cannot train the trial, or this version. */
  | { kind: 'unfit'; error: ErrorReport }
  /** The trial is owned by another worker, or cancelled: nothing more may be written. */
  | { kind: 'lost' };

/**
 * The trial's own error ends it; after a database error its lease expires; an error of this machine, or of a worker of another version than
 * the schema, leaves it to other workers.
 */
export function outcomeOf(error: unknown): TrialOutcome {
  if (error instanceof ReaderRefused) return { kind: 'refused', error };
  if (error instanceof WorkerNeeded) return { kind: 'released' };
  if (error instanceof LeaseLost || isTransient(error)) return { kind: 'lost' };
  const kind = isMachineFault(error) || isOtherSchema(error) ? 'unfit' : 'failed';
  return { kind, error: reportError(translatePostgresError(error)) };
}

/** How far a training process has come: it has started, or has sent a report. */
export type TrainingProgress = 'none' | 'begun' | 'reported';

/** The outcome if the training process ends by itself; before it has looked at the trial, a library is missing or broken, or memory is short. */
export const endOf = (cause: string, progress: TrainingProgress): TrialOutcome =>
  progress === 'none' ? { kind: 'unfit', error: { ...couldNotStart, detail: cause } } : { kind: 'crashed', cause };

const couldNotStart: ErrorReport = {
  sqlstate: '58000',
  message: 'the training process could not start',
  hint: 'See the log of the worker.',
};

/** Errors for which another worker may help. */
const ofWorkers = /^(08|38|53|58|XX)/;

/** Whether this machine may be why a trial ended: without a pause, a broken one would soon have failed the trials of all. */
export function mayBeOfMachine(outcome: TrialOutcome, progress: TrainingProgress): boolean {
  if (outcome.kind === 'refused' || outcome.kind === 'unfit') return true;
  const isOfWorkers = outcome.kind === 'failed' ? ofWorkers.test(outcome.error.sqlstate) : outcome.kind === 'crashed';
  return isOfWorkers && progress !== 'reported';
}

/** Writes the outcome to the trial's row. */
export async function settleTrial(owner: ClaimedTrial, outcome: TrialOutcome, options: ResultStorage): Promise<void> {
  const { database, logger } = options;
  const context = { on: database, logger };
  const from = { id: owner.trialId, from: 'running', owner } as const;
  switch (outcome.kind) {
    case 'finished':
      return storeResult(owner, outcome, options);
    case 'refitted':
      return storeRefit(owner, outcome, options);
    case 'failed':
      return void (await transitionTrial(context, { ...from, event: 'fail', error: outcome.error }));
    case 'crashed':
      return void (await loseTrial(context, { id: owner.trialId, attempt: owner.attempt, owner }, outcome.cause));
    case 'unfit':
      logger.error({ trial: owner.trialId, err: outcome.error }, 'this machine cannot train the trial');
      return void (await transitionTrial(context, { ...from, event: 'lose-lease', error: outcome.error }));
    case 'released':
      return void (await transitionTrial(context, { ...from, event: 'lose-lease' }));
    case 'overdue':
      return void (await transitionTrial(context, { ...from, event: 'cancel' }));
    case 'refused':
      logger.error({ trial: owner.trialId, err: reportError(outcome.error) }, 'no source can be read; the trial waits');
      await setReaderNotice(database, owner.study.id, true);
      return void (await transitionTrial(context, { ...from, event: 'lose-lease' }));
    case 'lost':
      return logger.warn(
        { trial: owner.trialId, attempt: owner.attempt },
        'the trial is no longer owned by this worker',
      );
  }
}
