import type { ReaderRefused } from '../errors/errors.ts';
import type { ErrorReport } from '../errors/rafiki-error.ts';
import type { Finished } from './result.ts';

/** How a trial ends on this worker. */
export type TrialOutcome =
  | ({ kind: 'finished' } & Finished)
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
