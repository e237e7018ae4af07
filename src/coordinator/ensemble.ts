import { bestOfEach, MAX_GAP } from '../domain/ensembles/choose.ts';
import { CANDIDATES_OF_FAMILY } from '../domain/ensembles/rule.ts';

/** Trials of which a weighted ensemble is chosen. */
const MAX_CANDIDATES = 8;

export interface Candidate {
  id: number;
  family: string;
  score: number;
  validationHash: Buffer;
}

/**
 * The best trials, best first, and the best of each family before further ones of it: different architectures make different errors. Only
 * trials that were validated on the rows of the best one, since answers are compared row by row.
 */
export function ensembleCandidates<C extends Candidate>(trials: readonly C[]): C[] {
  const ranked = [...trials].sort(bestFirst);
  const best = ranked[0];
  if (best === undefined) return [];
  const close = ranked.filter(
    (trial) => trial.validationHash.equals(best.validationHash) && best.score - trial.score <= MAX_GAP,
  );
  const placeInFamily = (trial: C): number => close.filter(({ family }) => family === trial.family).indexOf(trial);
  return close
    .map((trial) => ({ trial, place: placeInFamily(trial) }))
    .filter(({ place }) => place < CANDIDATES_OF_FAMILY)
    .sort((a, b) => a.place - b.place) // stable: among equals the best first
    .slice(0, MAX_CANDIDATES)
    .map(({ trial }) => trial)
    .sort(bestFirst);
}

const bestFirst = (a: Candidate, b: Candidate): number => b.score - a.score || a.id - b.id;

/** The voters of the paper, best first: the best trial of each of the best families. */
export const bestOfFamilies = <C extends Candidate>(trials: readonly C[]): C[] =>
  bestOfEach(ensembleCandidates(trials), ({ family }) => family);

/** The score of what some ranked members decide together, in [0, 1], larger is better. */
type ScoreOf<M> = (members: readonly M[]) => number;

/**
 * The score of each subset of the ranked members, by its bits: bit m is the member of rank m; the paper's a(M[v]). 0 for the empty
 * subset.
 */
export const subsetScores = <M>(ranked: readonly M[], scoreOf: ScoreOf<M>): number[] =>
  Array.from({ length: 2 ** ranked.length }, (_, subset) => {
    const asked = ranked.filter((_, m) => (subset & (1 << m)) !== 0);
    return asked.length === 0 ? 0 : scoreOf(asked);
  });

/** By how much any part of a weighted ensemble is at least taken for worse than the whole. */
const WHOLE_BETTER = 1e-4;

/**
 * Of a weighted ensemble whose first `exact` members are no variants: the whole is chosen by cross-validation, so a part that scores
 * better on these rows does so by chance, and answers only where time is short.
 */
export function belowWhole(scores: readonly number[], exact: number): number[] {
  const whole = 2 ** exact - 1;
  const most = Math.max(0, (scores[whole] ?? 0) - WHOLE_BETTER);
  return scores.map((score, subset) => (subset === whole ? score : Math.min(score, most)));
}
