import type { SparseRows } from '../../../src/linear/sparse-rows.ts';
import { createRng } from '../../../src/runtime/rng.ts';

/** Random rows with some entries in columns 1 to `columns` − 1. */
export function randomRows(count: number, columns: number, seed = 7): SparseRows {
  const rng = createRng(seed);
  const offsets = new Int32Array(count + 1);
  const ids: number[] = [];
  for (let row = 0; row < count; row++) {
    for (let id = 1; id < columns; id++) if (rng.uniform() < 0.3) ids.push(id);
    offsets[row + 1] = ids.length;
  }
  return { count, offsets, ids: Int32Array.from(ids), weights: Float32Array.from(ids, () => rng.normal()) };
}

export const randomClasses = (count: number, classes: number, seed = 9): Int32Array => {
  const rng = createRng(seed);
  return Int32Array.from({ length: count }, () => rng.below(classes));
};

export const randomNumbers = (count: number, seed = 9): Float64Array => {
  const rng = createRng(seed);
  return Float64Array.from({ length: count }, () => rng.normal());
};
