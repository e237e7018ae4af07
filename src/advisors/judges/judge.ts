import type { TrialHistory, Verdict } from '../advisor.ts';

/** Whether a running trial should go on, given all trials of its study. */
export type Judge = (trial: TrialHistory, history: readonly TrialHistory[]) => Verdict;

/**
 * Other trials that got at least so far, of the same family and with the same kind of start: curves of different families
 * have different shapes, and one that starts from another trial's weights is ahead from the beginning.
 */
export function peersAt(epoch: number, trial: TrialHistory, history: readonly TrialHistory[]): TrialHistory[] {
  const { number, family } = trial;
  const isWarm = ({ parent }: TrialHistory): boolean => parent !== undefined;
  return history.filter(
    (peer) =>
      peer.number !== number && peer.family === family && isWarm(peer) === isWarm(trial) && peer.scores.length >= epoch,
  );
}

/** The best score of the first so many epochs. */
export const bestUntil = (epoch: number, { scores }: TrialHistory): number => Math.max(...scores.slice(0, epoch));
