import type { StopRule } from './stop-rule.ts';

/** Epochs without a better validation score after which a trial is stopped; its result is its best epoch. */
export const PATIENCE_EPOCHS = 5;
/** Also at least this share of the planned epochs: the scores of a long schedule change slowly. */
const PLANNED_EPOCHS_SHARE = 0.25;
/**
 * Before this share of its epochs a trial is stopped only if its scores fall: while the learning rate is high they vary, and a schedule
 * gains most at its end.
 */
const LATE_SHARE = 0.75;

/** Stops a trial whose validation score has stagnated. */
export const stagnation: StopRule = ({ scores, epochs }) => {
  const patience = Math.max(PATIENCE_EPOCHS, Math.ceil(PLANNED_EPOCHS_SHARE * (epochs ?? 0)));
  if (scores.length <= patience) return 'continue';
  const recent = scores.slice(-patience);
  const before = scores.slice(0, -patience);
  if (Math.max(...recent) > Math.max(...before)) return 'continue';
  const isLate = scores.length >= LATE_SHARE * (epochs ?? 0);
  return isLate || mean(recent) < mean(before.slice(-patience)) ? 'stop' : 'continue';
};

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
