import type { TrialHistory, Verdict } from '../advisor.ts';

/** Whether a running trial should go on, given all trials of its study. */
export type Judge = (trial: TrialHistory, history: readonly TrialHistory[]) => Verdict;

/** Other trials of the same family that got at least so far: curves of different families have different shapes. */
export const peersAt = (epoch: number, trial: TrialHistory, history: readonly TrialHistory[]): TrialHistory[] =>
  history.filter(
    ({ number, family, scores }) => number !== trial.number && family === trial.family && scores.length >= epoch,
  );

/** The best score of the first so many epochs. */
export const bestUntil = (epoch: number, { scores }: TrialHistory): number => Math.max(...scores.slice(0, epoch));
