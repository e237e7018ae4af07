import type { HyperSpace, KnobOverride, Knobs } from '../domain/hyper-space.ts';

/** The search space: the families of the study's task, with the user's overrides of their knobs. */
export interface SearchSpace {
  /** In the order in which they are tried first; `initial` are the knobs of the first trial, those of the space if not given. */
  families: readonly {
    name: string;
    space: HyperSpace;
    initial?: Readonly<Knobs>;
    /** Of the study's time, which its first trial needs. */
    minSeconds?: number;
  }[];
  overrides: Record<string, KnobOverride>;
  seed: number;
}

/** A trial at some point of its training; `scores` has one entry per reported epoch. */
export interface TrialHistory {
  number: number;
  family: string;
  knobs: Knobs;
  /** Of each epoch so far. */
  scores: readonly number[];
  /** Planned epochs; null or absent while unknown. */
  epochs?: number | null;
  /**
   * The trial that contributed most of the initial weights: absent if they are random, null if it is not chosen yet.
   */
  parent?: number | null | undefined;
  /** False while more scores may come; true without any score means that the trial failed. */
  ended: boolean;
}

/** What a trial's weights are initialised with: random numbers (random start), or the best weights published when it begins (warm start). */
export type InitialWeights = 'random' | 'open';

export interface Proposal {
  family: string;
  knobs: Knobs;
  /** Set if the advisor prefers random weights although published ones are available. */
  initialWeights?: 'random';
}

export type StopDecision = 'continue' | 'stop';

/**
 * Proposes trials and decides when to stop them (paper, section 3). Pure: its results depend on its arguments only, so
 * they are the same on every coordinator and after any restart.
 */
export interface Advisor {
  name: string;
  /** A short description of the method, shown in `rafiki.advisor`. */
  title: string;
  /**
   * The next trial, given what its weights may be initialised with and all trials so far, ordered by number, in any state
   * but cancelled before a score; null if nothing is left to try.
   */
  propose(search: SearchSpace, history: readonly TrialHistory[], start?: InitialWeights): Proposal | null;
  /** Whether a running trial should continue after its latest report, given all trials of the study. */
  decide(trial: TrialHistory, history: readonly TrialHistory[]): StopDecision;
}

export const bestScore = ({ scores }: Pick<TrialHistory, 'scores'>): number =>
  Math.max(Number.NEGATIVE_INFINITY, ...scores);
