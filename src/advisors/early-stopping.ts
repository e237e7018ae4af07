import type { Verdict } from './advisor.ts';

/** Epochs without a better validation score after which a trial is stopped: its best epoch is what it ends with. */
export const PATIENCE_EPOCHS = 5;

/** Stops a trial whose validation score has stagnated. `scores` has one entry per epoch. */
export function judgeStagnation(scores: readonly number[], patience = PATIENCE_EPOCHS): Verdict {
  if (scores.length <= patience) return 'continue';
  const before = Math.max(...scores.slice(0, -patience));
  const lately = Math.max(...scores.slice(-patience));
  return lately > before ? 'continue' : 'stop';
}
