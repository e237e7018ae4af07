import type { SearchSpace, TrialHistory } from './advisor.ts';
import { type Branch, positionsOf, proposalAt } from './axes.ts';

/** A trial as a point of the search space: its family, and the positions of its values on the family's axes. */
export interface SearchPoint {
  branch: number;
  positions: Float64Array;
}

/** Null if the family is not part of the search. */
export function pointOf(
  branches: readonly Branch[],
  { family, knobs }: Pick<TrialHistory, 'family' | 'knobs'>,
): SearchPoint | null {
  const branch = branches.findIndex((each) => each.family === family);
  const found = branches[branch];
  return found === undefined ? null : { branch, positions: positionsOf(found, knobs) };
}

/** The point after applying hooks and rounding. */
export function snap(
  { overrides }: SearchSpace,
  branches: readonly Branch[],
  { branch, positions }: SearchPoint,
): SearchPoint {
  const found = branches[branch] as Branch;
  return { branch, positions: positionsOf(found, proposalAt(found, overrides, positions).knobs) };
}
