import { createRng, deriveSeed } from '../runtime/rng.ts';

/** The setting of α, the chance that a new trial of a collaborative study starts from random weights. */
export interface Greed {
  /** Before the first trial. */
  first: number;
  /** From the middle of the study on. */
  last: number;
}

/** Share of a study over which α falls. */
const DECAY = 0.5;
/** The stream of a trial's random numbers that decides how it starts. */
const STREAM = 7;

/**
 * α after a share `progress` in [0, 1] of the study (paper, section 3, α-greedy): it falls evenly from the first value to
 * the last, and stays there. An early best may be a bad start that all would inherit, so it is high at first.
 */
export const chanceOfRandomStart = ({ first, last }: Greed, progress: number): number =>
  last + (first - last) * Math.max(0, 1 - progress / DECAY);

/** Whether the trial of that seed starts at random rather than from published weights. */
export const startsAtRandom = (greed: Greed, { progress, seed }: { progress: number; seed: number }): boolean =>
  createRng(deriveSeed(seed, STREAM)).uniform() < chanceOfRandomStart(greed, progress);
