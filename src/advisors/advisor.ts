import type { HyperSpace, KnobOverride, Knobs } from '../domain/hyper-space.ts';

/** What can be tried: the families of the study's task, with the user's overrides of their knobs. */
export interface SearchSpace {
  families: readonly { name: string; space: HyperSpace }[];
  overrides: Record<string, KnobOverride>;
  seed: number;
}

/** A trial as far as it has come; `scores` has one entry per epoch reported. */
export interface TrialHistory {
  number: number;
  family: string;
  knobs: Knobs;
  scores: readonly number[];
  /** Whether most of its first weights came from another trial. */
  warm?: boolean;
  /** False while more scores may come; true without any score means that it failed. */
  ended: boolean;
}

export interface Proposal {
  family: string;
  knobs: Knobs;
}

export type Verdict = 'continue' | 'stop';

/**
 * Chooses what to try and judges how it goes (paper, section 3). Pure: everything it knows is in its arguments, so
 * whichever coordinator acts, and after any restart, it says the same.
 */
export interface Advisor {
  name: string;
  /** The next trial, given all trials so far in order of number, whatever became of them; null when nothing is left to try. */
  propose(search: SearchSpace, history: readonly TrialHistory[]): Proposal | null;
  /** Whether a running trial should go on after its latest report, given all trials of the study. */
  judge(trial: TrialHistory, history: readonly TrialHistory[]): Verdict;
  /** Whether no other trial has scored better. */
  isBest(trial: TrialHistory, history: readonly TrialHistory[]): boolean;
}

export const bestScore = ({ scores }: Pick<TrialHistory, 'scores'>): number =>
  Math.max(Number.NEGATIVE_INFINITY, ...scores);
