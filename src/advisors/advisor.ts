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
  /** Of each epoch so far. */
  scores: readonly number[];
  /** Planned; null or none while nobody knows. */
  epochs?: number | null;
  /** The trial that most of its first weights are from: none where they are random, null where it is still to be chosen. */
  parent?: number | null | undefined;
  /** False while more scores may come; true without any score means that it failed. */
  ended: boolean;
}

/** What a trial's first weights are: random, or the best that others have published when it begins. */
export type Start = 'random' | 'open';

export interface Proposal {
  family: string;
  knobs: Knobs;
  /** Where the advisor expects more of random weights, though others' could be had. */
  start?: 'random';
}

export type Verdict = 'continue' | 'stop';

/**
 * Chooses what to try and judges how it goes (paper, section 3). Pure: everything it knows is in its arguments, so
 * whichever coordinator acts, and after any restart, it says the same.
 */
export interface Advisor {
  name: string;
  /** How it proposes, in a few words: what `rafiki.advisor` says of it. */
  title: string;
  /**
   * The next trial, given how it is to start and all trials so far in order of number, whatever became of them; null when
   * nothing is left to try.
   */
  propose(search: SearchSpace, history: readonly TrialHistory[], start?: Start): Proposal | null;
  /** Whether a running trial should go on after its latest report, given all trials of the study. */
  judge(trial: TrialHistory, history: readonly TrialHistory[]): Verdict;
  /** Whether no other trial has scored better. */
  isBest(trial: TrialHistory, history: readonly TrialHistory[]): boolean;
}

export const bestScore = ({ scores }: Pick<TrialHistory, 'scores'>): number =>
  Math.max(Number.NEGATIVE_INFINITY, ...scores);
