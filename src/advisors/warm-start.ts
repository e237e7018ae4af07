import { createRng, deriveSeed } from '../runtime/rng.ts';

/** The parameter α: the probability that a new trial of a collaborative study starts from random weights. */
export interface Greed {
  /** Before the first trial. */
  first: number;
  /** From the middle of the study on. */
  last: number;
}

/** Share of a study over which α falls. */
const DECAY = 0.5;
/** Random stream for choosing a trial's start. */
const STREAM = 7;

/**
 * α after a share `progress` in [0, 1] of the study (paper, section 3, α-greedy): decreases linearly from the first
 * value to the last, then stays constant. It is high at first, since an early best trial may be a bad start that all
 * others would inherit.
 */
export const chanceOfRandomStart = ({ first, last }: Greed, progress: number): number =>
  last + (first - last) * Math.max(0, 1 - progress / DECAY);

/** Whether the trial with this seed starts at random instead of from published weights. */
export const startsAtRandom = (greed: Greed, { progress, seed }: { progress: number; seed: number }): boolean =>
  createRng(deriveSeed(seed, STREAM)).uniform() < chanceOfRandomStart(greed, progress);
