import { describe, expect, it } from 'vitest';
import { binTable } from '../../../src/trees/binned-table.ts';
import { ForestContributions } from '../../../src/trees/contributions.ts';
import { type Forest, forestScores } from '../../../src/trees/forest.ts';
import { packForest, unpackForest } from '../../../src/trees/forest-tensors.ts';
import { boostingSettings } from '../../../src/trees/settings.ts';
import { divisionAt, leftBins, type Tree } from '../../../src/trees/tree.ts';
import { trainForest } from '../../support/train-forest.ts';
import { mixedTable } from './tables.ts';

/** What a tree answers on average if only some features are known: both branches of a node of another feature, by their cover. */
function expected(forest: Forest, tree: Tree, bins: Uint8Array, known: ReadonlySet<number>, node = 0): number {
  const f = tree.feature[node] as number;
  if (f < 0) return tree.value[node] as number;
  const [left, right] = [tree.left[node] as number, tree.right[node] as number];
  const of = (child: number): number => expected(forest, tree, bins, known, child);
  const goesLeft = leftBins(divisionAt(tree, node, forest.features[f]?.categorical ?? false));
  if (known.has(f)) return of(goesLeft[bins[f] as number] === 1 ? left : right);
  const [a, b] = [tree.cover[left] as number, tree.cover[right] as number];
  return (a * of(left) + b * of(right)) / (a + b);
}

/** Shapley's value by its definition, over all orders of the players; by default each feature is one. */
function bruteForce(forest: Forest, bins: Uint8Array, of: readonly number[] = [...bins.keys()]): Float64Array[] {
  const players = Math.max(...of) + 1;
  const orders = permutations(Array.from({ length: players }, (_, player) => player));
  return Array.from(forest.base, (start, output) => {
    const trees = forest.trees.filter((_, i) => i % forest.base.length === output);
    const meanWith = (known: ReadonlySet<number>): number =>
      trees.reduce((sum, tree) => sum + expected(forest, tree, bins, known), start);
    const values = new Map<string, number>();
    const value = (known: readonly number[]): number => {
      const key = known.toSorted().join();
      const found = values.get(key) ?? meanWith(new Set([...of.keys()].filter((f) => known.includes(of[f] as number))));
      values.set(key, found);
      return found;
    };
    const sums = new Float64Array(players + 1);
    for (const order of orders)
      for (const [place, f] of order.entries())
        sums[f] =
          (sums[f] as number) + (value(order.slice(0, place + 1)) - value(order.slice(0, place))) / orders.length;
    sums[players] = value([]);
    return sums;
  });
}

const permutations = (items: readonly number[]): number[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));

describe.each([
  { objective: 'squared_error', maxLeaves: 31 },
  { objective: 'squared_error', maxLeaves: 5, rowShare: 0.5 },
  { objective: 'log_loss', classes: 2, maxLeaves: 31 },
  { objective: 'log_loss', classes: 3, maxLeaves: 12 },
] as const)('contributions to the scores of %o', (given) => {
  const rows = mixedTable(800, { classes: 'classes' in given ? given.classes : 0 });
  const grown = trainForest(rows, { settings: boostingSettings(given), rounds: 6 });

  it('are the Shapley values of their definition', async () => {
    const forest = await grown;
    const table = binTable(forest.features, rows.columns);
    const contributions = new ForestContributions(forest);
    for (let row = 0; row < 12; row++) {
      const found = contributions.ofRow(table, row);
      const defined = bruteForce(forest, table.bins.subarray(row * 5, (row + 1) * 5));
      expect(found.length).toBe(defined.length);
      for (const [output, own] of found.entries())
        for (const [f, value] of own.entries()) expect(value).toBeCloseTo(defined[output]?.[f] as number, 10);
      expect(found[0]?.some((value) => Math.abs(value) > 1e-3)).toBe(true);
    }
  });

  it('are those of players that have several features', async () => {
    const forest = await grown;
    const table = binTable(forest.features, rows.columns);
    const of = [1, 0, 1, 2, 0];
    const contributions = new ForestContributions(forest, { of: Int32Array.from(of), count: 3 });
    for (let row = 0; row < 12; row++) {
      const found = contributions.ofRow(table, row);
      const defined = bruteForce(forest, table.bins.subarray(row * 5, (row + 1) * 5), of);
      for (const [output, own] of found.entries()) {
        expect(own).toHaveLength(4);
        for (const [player, value] of own.entries()) expect(value).toBeCloseTo(defined[output]?.[player] as number, 10);
      }
    }
  });

  it('are the same of a stored forest', async () => {
    const forest = await grown;
    const table = binTable(forest.features, rows.columns);
    const stored = unpackForest(packForest(forest));
    expect(new ForestContributions(stored).ofRow(table, 3)).toEqual(new ForestContributions(forest).ofRow(table, 3));
  });

  it('add up to the score of each row', async () => {
    const forest = await grown;
    const table = binTable(forest.features, rows.columns);
    const scores = forestScores(forest, table);
    const contributions = new ForestContributions(forest);
    for (let row = 0; row < 200; row++)
      for (const [output, own] of contributions.ofRow(table, row).entries())
        expect(own.reduce((a, b) => a + b)).toBeCloseTo(scores[output]?.[row] as number, 9);
  });
});

it('a forest without trees contributes where its scores start', () => {
  const rows = mixedTable(10);
  const features = [0, 1, 2, 3, 4].map(() => ({ categorical: false, count: 2, edges: new Float32Array() }));
  const forest: Forest = { objective: 'squared_error', features, base: Float32Array.of(2), trees: [] };
  expect(new ForestContributions(forest).ofRow(binTable(features, rows.columns), 3)).toEqual([
    Float64Array.of(0, 0, 0, 0, 0, 2),
  ]);
});
