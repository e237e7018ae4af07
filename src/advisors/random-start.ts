import { createRng, deriveSeed } from '../runtime/rng.ts';

/** The parameter α: the probability that a new trial of a collaborative study starts from random weights. */
export interface AlphaSchedule {
  /** Before the first trial. */
  first: number;
  /** From the middle of the study on. */
  last: number;
}

/** Share of a study over which α falls. */
const DECAY = 0.5;
/** Random stream for choosing a trial's initial weights. */
const STREAM = 7;

/**
 * α after a share `progress` in [0, 1] of the study (paper, section 3, α-greedy): decreases linearly from the first
 * value to the last, then stays constant. It is high at first, because otherwise all trials would inherit the
 * weights of the best early trial, which may be bad.
 */
export const randomStartProbability = ({ first, last }: AlphaSchedule, progress: number): number =>
  last + (first - last) * Math.max(0, 1 - progress / DECAY);

/** Whether the trial with this seed has a random start instead of a warm one. */
export const isRandomStart = (alpha: AlphaSchedule, { progress, seed }: { progress: number; seed: number }): boolean =>
  createRng(deriveSeed(seed, STREAM)).uniform() < randomStartProbability(alpha, progress);
