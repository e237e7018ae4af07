import type { TrialHistory } from './advisor.ts';
import type { Evidence } from './evidence.ts';

/** Where random first weights lie: further from all others than those can be from one another. */
export const RANDOM_START = -1;
/** Where the best weights that a trial can start from lie. */
export const BEST_START = 1;

/**
 * Where the first weights of a trial lie, as a number that a model can learn from: those of another trial at the share of
 * scored trials that were no better than it. What is still open will be the best.
 */
export function startsOf({ scored }: Evidence): (trial: Pick<TrialHistory, 'parent'>) => number {
  const places = new Map(
    [...scored]
      .sort((a, b) => a.score - b.score || a.trial.number - b.trial.number)
      .map(({ trial }, rank) => [trial.number, (rank + 1) / scored.length]),
  );
  return ({ parent }) => {
    if (parent === undefined) return RANDOM_START;
    return (parent === null ? undefined : places.get(parent)) ?? BEST_START;
  };
}

/**
 * Best first, each trial compared with those that started alike: one that starts from another's weights is ahead whatever
 * its knobs are.
 */
export function rankedByStart(scored: Evidence['scored']): TrialHistory[] {
  const ranked = [...scored].sort((a, b) => b.score - a.score);
  const alike = (warm: boolean): Evidence['scored'] =>
    ranked.filter(({ trial }) => (trial.parent !== undefined) === warm);
  return [alike(false), alike(true)]
    .flatMap((own) => own.map(({ trial }, rank) => ({ trial, place: (rank + 0.5) / own.length })))
    .sort((a, b) => a.place - b.place)
    .map(({ trial }) => trial);
}
