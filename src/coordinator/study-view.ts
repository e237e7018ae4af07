import type { SearchSpace } from '../advisors/advisor.ts';
import type { Study } from '../db/statements/studies.ts';
import type { TrialRow } from '../db/statements/trials.ts';

/** The input of planning: a study and its trials. */
export interface StudyView {
  study: Study;
  /** Ordered by number. */
  trials: readonly TrialRow[];
  search: SearchSpace;
  /** Whether how long a trial takes depends on the data, and is measured before it is trained. */
  isSlow: boolean;
  idleWorkers: number;
  /** Running workers by family, of the families that not all workers have. */
  someWorkers?: ReadonlyMap<string, number>;
}

/** Workers that this study has or could have. */
export const workersOf = ({ trials, idleWorkers }: Pick<StudyView, 'trials' | 'idleWorkers'>): number =>
  idleWorkers + trials.filter(({ state }) => state === 'running').length;

export const secondsLeft = ({ maxTimeMs, elapsedMs }: Study): number => Math.max(0, maxTimeMs - elapsedMs) / 1000;

/** A trial that has, or can still have, a result. */
export const isUseful = ({ state }: TrialRow): boolean => state !== 'failed' && state !== 'cancelled';

/** A trial whose weights can become part of a model. */
export const isScored = (trial: TrialRow): trial is TrialRow & { score: number; validationHash: Buffer } =>
  (trial.state === 'completed' || trial.state === 'stopped') &&
  trial.hasParams &&
  trial.score !== null &&
  trial.validationHash !== null;
