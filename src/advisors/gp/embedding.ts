import type { Axis, Branch } from '../axes.ts';
import { RANDOM_START } from '../initial-weights.ts';

/**
 * A family and its knobs as a real vector, so that distances are comparable: a number is one column; a category, and
 * the family, have one column per value, 1/√2 for the chosen one, so that two different values have a distance of 1.
 * Knobs of other families are constant: numbers at the middle, categories at zero.
 */
export interface Embedding {
  width: number;
  /** Index of a column's length scale: one per knob, and one for the family. */
  scaleOf: Int32Array;
  scales: number;
  embed(branch: number, positions: Float64Array, weights?: number): Float64Array;
}

/** `withInitialWeights` adds a column for the position of a trial's initial weights. */
export function embeddingOf(branches: readonly Branch[], withInitialWeights = false): Embedding {
  const columns = [
    branches.length > 1 ? branches.length : 0,
    ...branches.flatMap(({ axes }) => axes.map(columnsOf)),
    ...(withInitialWeights ? [1] : []),
  ];
  const firstAxis = branches.map(
    (_, branch) => 1 + branches.slice(0, branch).reduce((sum, { axes }) => sum + axes.length, 0),
  );
  const offsets = columns.map((_, scale) => columns.slice(0, scale).reduce((sum, count) => sum + count, 0));
  const scaleOf = Int32Array.from(columns.flatMap((count, scale) => Array<number>(count).fill(scale)));
  const defaults = new Float64Array(scaleOf.length);
  for (const [i, axis] of branches.flatMap(({ axes }) => axes).entries()) {
    if (isNumber(axis)) defaults[offsets[1 + i] as number] = 0.5;
  }

  const embed: Embedding['embed'] = (branch, positions, weights = RANDOM_START) => {
    const vector = defaults.slice();
    if (branches.length > 1) vector[branch] = Math.SQRT1_2;
    for (const [i, axis] of (branches[branch] as Branch).axes.entries()) {
      const offset = offsets[(firstAxis[branch] as number) + i] as number;
      const position = positions[i] as number;
      if (isNumber(axis)) vector[offset] = position;
      else if (position >= 0) vector[offset + position] = Math.SQRT1_2;
    }
    if (withInitialWeights) vector[vector.length - 1] = weights;
    return vector;
  };
  return { width: scaleOf.length, scaleOf, scales: columns.length, embed };
}

const isNumber = ({ domain }: Axis): boolean => domain.kind === 'range';
const columnsOf = ({ domain }: Axis): number => (domain.kind === 'range' ? 1 : domain.list.length);
