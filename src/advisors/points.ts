import type { SearchSpace, TrialHistory } from './advisor.ts';
import { type Branch, positionsOf, proposalAt } from './axes.ts';

/** A trial as the models see it: which family, and where its values lie on the family's axes. */
export interface SearchPoint {
  branch: number;
  positions: Float64Array;
}

/** Null for a family that is not part of the search. */
export function pointOf(
  branches: readonly Branch[],
  { family, knobs }: Pick<TrialHistory, 'family' | 'knobs'>,
): SearchPoint | null {
  const branch = branches.findIndex((each) => each.family === family);
  const found = branches[branch];
  return found === undefined ? null : { branch, positions: positionsOf(found, knobs) };
}

/** Where a point comes to lie once hooks and rounding have had their say. */
export function snap(
  { overrides }: SearchSpace,
  branches: readonly Branch[],
  { branch, positions }: SearchPoint,
): SearchPoint {
  const found = branches[branch] as Branch;
  return { branch, positions: positionsOf(found, proposalAt(found, overrides, positions).knobs) };
}
