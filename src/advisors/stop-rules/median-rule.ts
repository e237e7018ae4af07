import type { TrialHistory } from '../advisor.ts';
import { bestUntil, peersAt, type StopRule } from './stop-rule.ts';

/** With fewer peers the median is unreliable. */
export const MIN_PEERS = 5;
/** The first epochs are the warm-up of the learning rate. */
export const GRACE_EPOCHS = 3;

/**
 * Stops a trial whose best score is below the median of its peers' mean scores up to the same epoch (Golovin et al. 2017,
 * "Google Vizier", section 3.2.2).
 */
export const medianRule: StopRule = (trial, history) => {
  const epoch = trial.scores.length;
  if (epoch < GRACE_EPOCHS) return 'continue';
  const means = peersAt(epoch, trial, history).map((peer) => meanUntil(epoch, peer));
  if (means.length < MIN_PEERS) return 'continue';
  return bestUntil(epoch, trial) < median(means) ? 'stop' : 'continue';
};

const meanUntil = (epoch: number, { scores }: TrialHistory): number =>
  scores.slice(0, epoch).reduce((sum, score) => sum + score, 0) / epoch;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] as number) + (sorted[Math.floor(middle)] as number)) / 2;
}
