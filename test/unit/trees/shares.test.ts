import { describe, expect, it } from 'vitest';
import { Booster } from '../../../src/trees/booster.ts';
import { featureBins } from '../../../src/trees/feature-bins.ts';
import type { SumExchange } from '../../../src/trees/grow.ts';
import { Workspace } from '../../../src/trees/kernels/workspace.ts';
import type { ForestRows } from '../../../src/trees/objective.ts';
import { createObjective } from '../../../src/trees/objective.ts';
import { type BoostingSettings, boostingSettings } from '../../../src/trees/settings.ts';
import { trainForest } from '../../support/train-forest.ts';
import { mixedTable } from './tables.ts';

/** Trains as `count` workers do, each with every count-th row, who exchange nothing but sums. */
function trainShared({ columns, targets }: ForestRows, settings: BoostingSettings, rounds: number, count: number) {
  const features = columns.map((column) => featureBins(column));
  const objective = () => createObjective(settings, targets);
  const boosters = Array.from({ length: count }, (_, worker) => {
    const ids = Int32Array.from(targets.values, (_, i) => i).filter((i) => i % count === worker);
    const own = { values: Float32Array.from(ids, (i) => targets.values[i] as number) };
    const work = new Workspace(features, columns, { rows: ids, slots: settings.maxLeaves, threads: 1 });
    return new Booster({ settings, objective: objective(), work, targets: own, ids });
  });
  for (let round = 0; round < rounds; round++) inStep(boosters.map((booster) => booster.round()));
  return boosters.map((booster) => booster.forest.trees);
}

function inStep<T>(exchanges: readonly SumExchange<T>[]): void {
  let steps = exchanges.map((exchange) => exchange.next());
  while (steps.every(({ done }) => !done)) {
    const sent = steps.map(({ value }) => value as Float64Array[]);
    const sums = (sent[0] as Float64Array[]).map((_, i) => combine(sent.map((arrays) => arrays[i] as Float64Array)));
    steps = exchanges.map((exchange) => exchange.next(sums));
  }
  expect(steps.every(({ done }) => done)).toBe(true);
}

const combine = (arrays: readonly Float64Array[]): Float64Array =>
  Float64Array.from(arrays[0] as Float64Array, (_, i) => arrays.reduce((sum, array) => sum + (array[i] as number), 0));

describe('shares of the rows', () => {
  it.each([
    { objective: 'squared_error', rowShare: 0.7, columnShare: 0.6 },
    { objective: 'absolute_error', leavesAtOnce: 3 },
    { objective: 'log_loss', classes: 2, leavesAtOnce: 4, rowShare: 0.5 },
    { objective: 'log_loss', classes: 3, maxDepth: 4 },
  ] as const)('grow the same trees, bit for bit, as all rows together: %o', async (given) => {
    const settings = boostingSettings({ maxLeaves: 12, seed: 3, ...given });
    const rows = mixedTable(1500, { classes: 'classes' in given ? given.classes : 0 });
    const { trees } = await trainForest(rows, { settings, rounds: 4 });
    expect(trees[0]?.feature.length).toBe(23);
    for (const count of [1, 2, 4]) {
      for (const shared of trainShared(rows, settings, 4, count)) expect(shared).toEqual(trees);
    }
  });

  it.each([2, 3])('of %i threads add up to the same trees', async (threads) => {
    const rows = mixedTable(30_000);
    const settings = boostingSettings({ maxLeaves: 20, rowShare: 0.9 });
    const { trees } = await trainForest(rows, { settings, rounds: 20 });
    const wait = () => new Promise<void>((resolve) => setTimeout(resolve, 20)); // threads take 50 ms to start
    expect((await trainForest(rows, { settings, rounds: 20, threads, onRound: wait })).trees).toEqual(trees);
  });

  it('of rows that differ give other trees', async () => {
    const settings = boostingSettings({ maxLeaves: 12 });
    const [all, other] = [mixedTable(1500), mixedTable(1500, { seed: 2 })];
    const trees = async (rows: ForestRows) => (await trainForest(rows, { settings, rounds: 1 })).trees;
    expect(await trees(all)).not.toEqual(await trees(other));
  });
});
