import type { ClaimedTrial } from '../db/statements/claims.ts';
import { setReaderNotice } from '../db/statements/studies.ts';
import { loseTrial, transitionTrial } from '../db/statements/transitions.ts';
import type { ReaderRefused } from '../errors/errors.ts';
import { type ErrorReport, reportError } from '../errors/rafiki-error.ts';
import { type Finished, type Refitted, storeRefit, storeResult } from './result.ts';
import type { TrialRunOptions } from './run-options.ts';

/** How a trial ends on this worker. */
export type TrialOutcome =
  | ({ kind: 'finished' } & Finished)
  | ({ kind: 'refitted' } & Refitted)
  | { kind: 'failed'; error: ErrorReport }
  /** The training process died; the number of attempts decides whether there is another one. */
  | { kind: 'crashed'; cause: string }
  /** The worker stops, or is needed elsewhere: the trial waits for another worker, and the attempt does not count. */
  | { kind: 'released' }
  /** This worker cannot read the source: as released, but the worker pauses before its next trial. */
  | { kind: 'refused'; error: ReaderRefused }
  /** The same if this machine cannot train the trial. */
  | { kind: 'unfit'; error: ErrorReport }
  /** The trial is owned by another worker, or cancelled: nothing more may be written. */
  | { kind: 'lost' };

/** Writes the outcome to the trial's row. */
export async function settleTrial(owner: ClaimedTrial, outcome: TrialOutcome, options: TrialRunOptions): Promise<void> {
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
