import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/runtime/rng.ts';
import { binTable } from '../../../src/trees/binned-table.ts';
import { featureBins } from '../../../src/trees/feature-bins.ts';
import { forestScores } from '../../../src/trees/forest.ts';
import { boostingSettings } from '../../../src/trees/settings.ts';
import { trainForest } from '../../support/train-forest.ts';
import { bruteForceAnswers } from './brute-force.ts';
import { mixedTable } from './tables.ts';

/** Few bins and categories, so that all subsets can be tried; or numbers only. */
function smallTable(seed: number, numbersOnly = false) {
  const { columns, targets } = mixedTable(150, { seed });
  const rng = createRng(seed + 1000);
  const codes = columns[3]?.values.map((code) => (Number.isNaN(code) ? code : code % 5)) as Float32Array;
  const noise = Float32Array.from({ length: 150 }, () => rng.normal());
  return {
    columns: columns.map((column, c) => (c === 3 ? { categorical: !numbersOnly, values: codes } : column)),
    targets: { values: targets.values.map((value, i) => value + (noise[i] as number) * 0.01) },
  };
}

describe('a tree', () => {
  it.each([
    { maxLeaves: 2 },
    { maxLeaves: 8 },
    { maxLeaves: 8, l1: 3, minGain: 2 },
    { maxLeaves: 12, minLeafWeight: 9, learningRate: 0.5 },
  ])('equals that of a search of all splits without histograms: %o', async (given) => {
    for (let seed = 1; seed <= 8; seed++) {
      // Sorted categories are the best of all subsets without λ and a least weight only (Fisher 1958).
      const rows = smallTable(seed, 'minLeafWeight' in given);
      const settings = boostingSettings({ learningRate: 1, l2: 0, categorySmoothing: 0, ...given });
      const table = binTable(
        rows.columns.map((column) => featureBins(column, 10)),
        rows.columns,
      );
      const forest = await trainForest(rows, { settings, rounds: 1, maxBins: 10 });
      const expected = bruteForceAnswers(table, rows.targets, settings, forest.base[0] as number);
      const [scores] = forestScores(forest, table) as [Float64Array];
      for (const [i, score] of scores.entries())
        expect(score, `seed ${seed}, row ${i}`).toBeCloseTo(expected[i] as number, 5);
    }
  });

  it('is no deeper than allowed, and has as many leaves as allowed', async () => {
    const rows = mixedTable(2000);
    for (const [given, depth, leaves] of [
      [{ maxDepth: 2, maxLeaves: 31 }, 2, 4],
      [{ maxDepth: 0, maxLeaves: 6 }, 5, 6],
      [{ maxDepth: 3, maxLeaves: 31, leavesAtOnce: 5 }, 3, 8],
    ] as const) {
      const { trees } = await trainForest(rows, { settings: boostingSettings(given), rounds: 3 });
      for (const tree of trees) {
        const depthOf = (node: number): number =>
          (tree.feature[node] as number) < 0
            ? 0
            : 1 + Math.max(depthOf(tree.left[node] as number), depthOf(tree.right[node] as number));
        expect(depthOf(0)).toBeLessThanOrEqual(depth);
        expect(tree.feature.filter((f) => f < 0).length).toBe(leaves);
      }
    }
  });

  it('splits the best leaf first, however many are split at once', async () => {
    const rows = mixedTable(3000);
    const grow = (leavesAtOnce: number) =>
      trainForest(rows, { settings: boostingSettings({ maxLeaves: 64, minGain: 20, leavesAtOnce }), rounds: 1 });
    // `minGain` ends growth before the leaves are used up, so that the order makes no difference to the result.
    const sorted = async (leavesAtOnce: number) => [...((await grow(leavesAtOnce)).trees[0]?.value ?? [])].sort();
    const one = await sorted(1);
    expect(one.length).toBeGreaterThan(10);
    expect(await sorted(7)).toEqual(one);
  });

  it('sends missing values where they fit best, and a column of missing values nowhere', async () => {
    const values = Float32Array.from({ length: 100 }, (_, i) => (i % 4 === 0 ? Number.NaN : i));
    const targets = { values: values.map((value) => (value > 50 || Number.isNaN(value) ? 1 : 0)) };
    const columns = [
      { categorical: false, values: new Float32Array(100).fill(Number.NaN) },
      { categorical: false, values },
    ];
    const settings = boostingSettings({ maxLeaves: 2, learningRate: 1, l2: 0 });
    const { trees } = await trainForest({ columns, targets }, { settings, rounds: 1 });
    expect(trees[0]).toMatchObject({ feature: Int32Array.of(1, -1, -1), missingLeft: Uint8Array.of(0, 0, 0) });
    const other = { columns, targets: { values: targets.values.map((value) => 1 - value) } };
    expect((await trainForest(other, { settings, rounds: 1 })).trees[0]?.missingLeft[0]).toBe(0);
  });
});
