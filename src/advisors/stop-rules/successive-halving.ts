import { bestUntil, peersAt, type StopRule } from './stop-rule.ts';

/** One in this many trials is promoted from rung to rung; rungs are at 3, 9, 27, … epochs. */
export const REDUCTION = 3;
/**
 * Minimum of trials on a rung, including the trial itself, before any is stopped: small studies train all trials to the
 * end.
 */
export const MIN_ON_RUNG = REDUCTION ** 2;

/**
 * Asynchronous successive halving (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning"): stops a
 * trial that is not among the best third at the last rung it reached. The decision is repeated while the rung fills, so
 * a trial that was promoted early, among few others, can still be stopped.
 */
export const successiveHalving: StopRule = (trial, history) => {
  const rung = lastRung(trial.scores.length);
  if (rung === 0) return 'continue';
  const peers = peersAt(rung, trial, history);
  const size = peers.length + 1;
  if (size < MIN_ON_RUNG) return 'continue';
  const score = bestUntil(rung, trial);
  const better = peers.filter((peer) => bestUntil(rung, peer) > score).length;
  return better < Math.ceil(size / REDUCTION) ? 'continue' : 'stop';
};

/** The largest power of the reduction that `epochs` reaches; 0 below the first rung. */
function lastRung(epochs: number): number {
  let rung = 0;
  for (let next = REDUCTION; next <= epochs; next *= REDUCTION) rung = next;
  return rung;
}
