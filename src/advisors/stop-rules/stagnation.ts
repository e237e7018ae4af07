import type { StopRule } from './stop-rule.ts';

/** Epochs without a better validation score after which a trial is stopped; its result is its best epoch. */
export const PATIENCE_EPOCHS = 5;
/**
 * Also at least this share of the planned epochs: a long schedule is slow at first, and gains most while the learning
 * rate falls to zero.
 */
const PLANNED_EPOCHS_SHARE = 0.25;

/** Stops a trial whose validation score has stagnated. */
export const stagnation: StopRule = ({ scores, epochs }) => {
  const patience = Math.max(PATIENCE_EPOCHS, Math.ceil(PLANNED_EPOCHS_SHARE * (epochs ?? 0)));
  if (scores.length <= patience) return 'continue';
  const before = Math.max(...scores.slice(0, -patience));
  const latest = Math.max(...scores.slice(-patience));
  return latest > before ? 'continue' : 'stop';
};
