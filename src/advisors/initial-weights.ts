import type { TrialHistory } from './advisor.ts';
import type { Evidence } from './evidence.ts';

/** Position of random weights: further from all others than these are from each other. */
export const RANDOM_START = -1;
/** Position of the best weights available. */
export const BEST_START = 1;

/**
 * The initial weights of a trial as a number for the model: another trial's weights are at its rank among the scored
 * trials, as a share. Weights that are not chosen yet will be the best.
 */
export function initialWeightsPositions({ scored }: Evidence): (trial: Pick<TrialHistory, 'parent'>) => number {
  const positions = new Map(
    [...scored]
      .sort((a, b) => a.score - b.score || a.trial.number - b.trial.number)
      .map(({ trial }, rank) => [trial.number, (rank + 1) / scored.length]),
  );
  return ({ parent }) => {
    if (parent === undefined) return RANDOM_START;
    return (parent === null ? undefined : positions.get(parent)) ?? BEST_START;
  };
}

/**
 * Ranks trials best first, comparing each with those with the same kind of initial weights: a warm-started trial is ahead
 * whatever its knobs are.
 */
export function rankByInitialWeights(scored: Evidence['scored']): TrialHistory[] {
  const ranked = [...scored].sort((a, b) => b.score - a.score);
  const sameKind = (warm: boolean): Evidence['scored'] =>
    ranked.filter(({ trial }) => (trial.parent !== undefined) === warm);
  return [sameKind(false), sameKind(true)]
    .flatMap((own) => own.map(({ trial }, rank) => ({ trial, rankShare: (rank + 0.5) / own.length })))
    .sort((a, b) => a.rankShare - b.rankShare)
    .map(({ trial }) => trial);
}
