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

/** The score of what some ranked members decide together, in [0, 1], larger is better. */
type ScoreOf<M> = (members: readonly M[]) => number;

/** The number of ranked members that makes the best ensemble on the validation rows; among equals, the largest. */
export function bestEnsemble<M>(ranked: readonly M[], scoreOf: ScoreOf<M>): Ensemble {
  const ensembles = ranked.map((_, last) => ({ members: last + 1, score: scoreOf(ranked.slice(0, last + 1)) }));
  return ensembles.reduce((best, next) => (next.score >= best.score ? next : best));
}

/**
 * The score of each subset of the ranked members, by its bits: bit m is the member of rank m; the paper's a(M[v]). 0 for the empty
 * subset.
 */
export const subsetScores = <M>(ranked: readonly M[], scoreOf: ScoreOf<M>): number[] =>
  Array.from({ length: 2 ** ranked.length }, (_, subset) => {
    const asked = ranked.filter((_, m) => (subset & (1 << m)) !== 0);
    return asked.length === 0 ? 0 : scoreOf(asked);
  });
