/**
 * How a study whose trials take long spends its time: successive halving (Jamieson and Talwalkar 2016, algorithm 1) in which nothing
 * is trained twice. All candidates are trained for a short first rung; the best third of them continues from its weights in the next
 * one (a warm restart: Loshchilov and Hutter 2017); the last one has all cores and the rest of the time.
 */

/** One in this many trials continues in the next rung. */
const REDUCTION = 3;

/** With time for fewer trainings to the end, a comparison costs more than it gains: one trial has all of it. */
const SCARCE = 4;
/** With time for as many, no trial is cut short. */
const PLENTY = 8;

/** What limits the candidates of a study. */
export interface CandidateLimits {
  /** Number of families that it tries. */
  families: number;
  maxTrials: number;
}

/**
 * Number of candidates in the first rung if there is time for `affordable` trainings to the end; null if there is time enough to train
 * each trial to its end. Candidates are above all families: the initial knobs of a family are rarely far from its best.
 */
export function candidatesOf(affordable: number, { families, maxTrials }: CandidateLimits): number | null {
  if (affordable < SCARCE) return 1;
  if (affordable >= PLENTY && maxTrials > 1) return null;
  const whole = Math.floor(affordable);
  let candidates = Math.min(whole, maxTrials, Math.max(families, Math.floor(whole / 2)));
  while (candidates > 1 && sum(rungSizes(candidates)) > maxTrials) candidates--;
  return Math.max(1, candidates);
}

/** Trials of each rung, for a number of candidates: 7 → [7, 3, 1]. */
export function rungSizes(candidates: number): number[] {
  return candidates === 1 ? [1] : [candidates, ...rungSizes(Math.ceil(candidates / REDUCTION))];
}

/**
 * Seconds of each trial of a rung that begins when a study has `secondsLeft`; null for the last one: it takes what is left. `sizes`
 * are those of this rung and the following ones. The last rung has at least half of the study's time.
 */
export function rungSeconds(secondsLeft: number, sizes: readonly number[], workers: number): number | null {
  const [trials = 1] = sizes;
  if (sizes.length === 1) return null;
  return secondsLeft / (sizes.length + 1) / Math.ceil(trials / Math.max(1, workers));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
