import { createRng } from '../../../src/runtime/rng.ts';
import type { FeatureColumn } from '../../../src/trees/feature-bins.ts';
import type { ForestRows } from '../../../src/trees/objective.ts';

/**
 * Columns of each kind: continuous, of few values, mostly one value, categories; a tenth of the values are missing. The target
 * depends on them and on noise; with `classes` it is the index of a class.
 */
export function mixedTable(rows: number, { seed = 1, classes = 0 } = {}): ForestRows {
  const rng = createRng(seed);
  const column = (categorical: boolean, draw: () => number): FeatureColumn => ({
    categorical,
    values: Float32Array.from({ length: rows }, () => (rng.uniform() < 0.1 ? Number.NaN : draw())),
  });
  const columns = [
    column(false, () => rng.normal()),
    column(false, () => rng.below(5)),
    column(false, () => (rng.uniform() < 0.9 ? 0 : rng.uniform() * 1000)),
    column(true, () => rng.below(12)),
    column(false, () => rng.normal() * 1e-3),
  ];
  const at = (c: number, i: number): number => columns[c]?.values[i] as number;
  const target = (i: number): number => {
    const number = (Number.isNaN(at(0, i)) ? 1.5 : Math.sin(2 * at(0, i))) + (at(1, i) > 2 ? 1 : 0);
    return number + ([1, 5, 6, 11].includes(at(3, i)) ? 1 : -0.3) + 0.4 * rng.normal();
  };
  const numbers = Float32Array.from({ length: rows }, (_, i) => target(i));
  const values = classes === 0 ? numbers : numbers.map((v) => Math.max(0, Math.min(classes - 1, Math.floor(v + 0.5))));
  return { columns, targets: { values } };
}
