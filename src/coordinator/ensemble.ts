import { accuracy } from '../domain/metrics.ts';
import { majorityVotes } from '../domain/vote.ts';

/** Maximum members of an ensemble. */
const MAX_MEMBERS = 3;
/** A family whose best trial is further below the best of all is left out (paper, section 1: close to the best). */
export const MAX_GAP = 0.05;

export interface Candidate {
  id: number;
  family: string;
  score: number;
  validationHash: Buffer;
}

/**
 * The best trial of each of the best families, best first: different architectures make different errors. Only trials
 * that were validated on the rows of the best one, since votes are counted row by row.
 */
export function bestOfFamilies<C extends Candidate>(trials: readonly C[]): C[] {
  const ranked = [...trials].sort((a, b) => b.score - a.score || a.id - b.id);
  const best = ranked[0];
  if (best === undefined) return [];
  return ranked
    .filter((trial) => trial.validationHash.equals(best.validationHash) && best.score - trial.score <= MAX_GAP)
    .filter((trial, place, comparable) => comparable.findIndex(({ family }) => family === trial.family) === place)
    .slice(0, MAX_MEMBERS);
}

export interface Ensemble {
  members: number;
  score: number;
}

/** In [0, 1], larger is better. */
export type VoteScore = (predicted: Uint16Array, labels: Uint16Array) => number;

/** The number of ranked members that makes the best ensemble on the validation rows; among equals, the largest. */
export function bestEnsemble(
  votes: readonly Uint16Array[],
  labels: Uint16Array,
  scoreOf: VoteScore = accuracy,
): Ensemble {
  const ensembles = votes.map((_, last) => ({
    members: last + 1,
    score: scoreOf(majorityVotes(votes.slice(0, last + 1), labels.length), labels),
  }));
  return ensembles.reduce((best, next) => (next.score >= best.score ? next : best));
}

/**
 * Accuracy a(M[v]) of each subset v of the ranked members, by its bits: bit m is the member of rank m. 0 for the empty
 * subset.
 */
export function subsetAccuracies(votes: readonly Uint16Array[], labels: Uint16Array): number[] {
  return Array.from({ length: 2 ** votes.length }, (_, subset) => {
    const asked = votes.filter((_, m) => (subset & (1 << m)) !== 0);
    return asked.length === 0 ? 0 : accuracy(majorityVotes(asked, labels.length), labels);
  });
}
