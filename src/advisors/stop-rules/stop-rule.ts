import type { StopDecision, TrialHistory } from '../advisor.ts';

/** Decides whether a running trial continues, given all trials of its study. */
export type StopRule = (trial: TrialHistory, history: readonly TrialHistory[]) => StopDecision;

/**
 * Other trials that reached the epoch, of the same family and kind of initial weights: learning curves of different families have
 * different shapes, and warm-started trials are ahead from the beginning.
 */
export function peersAt(epoch: number, trial: TrialHistory, history: readonly TrialHistory[]): TrialHistory[] {
  const { number, family } = trial;
  const isWarm = ({ parent }: TrialHistory): boolean => parent !== undefined;
  return history.filter(
    (peer) =>
      peer.number !== number && peer.family === family && isWarm(peer) === isWarm(trial) && peer.scores.length >= epoch,
  );
}

/** The best score of the first `epoch` epochs. */
export const bestUntil = (epoch: number, { scores }: TrialHistory): number => Math.max(...scores.slice(0, epoch));
