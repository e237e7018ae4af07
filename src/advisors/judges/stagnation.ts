import type { Judge } from './judge.ts';

/** Epochs without a better validation score after which a trial is stopped: its best epoch is what it ends with. */
export const PATIENCE_EPOCHS = 5;

/** Stops a trial whose validation score has stagnated. */
export const stagnation: Judge = ({ scores }) => {
  if (scores.length <= PATIENCE_EPOCHS) return 'continue';
  const before = Math.max(...scores.slice(0, -PATIENCE_EPOCHS));
  const lately = Math.max(...scores.slice(-PATIENCE_EPOCHS));
  return lately > before ? 'continue' : 'stop';
};
