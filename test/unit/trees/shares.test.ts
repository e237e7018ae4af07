import { describe, expect, it } from 'vitest';
import { rowsOfSeat } from '../../../src/domain/joint-training.ts';
import type { Booster } from '../../../src/trees/booster.ts';
import type { SumExchange } from '../../../src/trees/grow.ts';
import type { ForestRows } from '../../../src/trees/objective.ts';
import { type BoostingSettings, boostingSettings } from '../../../src/trees/settings.ts';
import type { Tree } from '../../../src/trees/tree.ts';
import { boosterOf } from '../../support/forest-workers.ts';
import { trainForest } from '../../support/train-forest.ts';
import { mixedTable } from './tables.ts';

/** Grows as `count` workers do, each with a range of the rows, who exchange nothing but sums. */
function growShared(rows: ForestRows, settings: BoostingSettings, rounds: number, count: number): (readonly Tree[])[] {
  const boosters = Array.from({ length: count }, () => boosterOf(rows, settings));
  for (let round = 0; round < rounds; round++) {
    deal(boosters, rows.targets.values.length);
    inStep(boosters.map((booster) => booster.round()));
  }
  return boosters.map((booster) => booster.forest.trees);
}

function deal(boosters: readonly Booster[], rows: number): void {
  for (const [seat, booster] of boosters.entries()) booster.share(rowsOfSeat(rows, seat, boosters.length));
}

/** Until all are done, or for so many exchanges. */
function inStep<T>(exchanges: readonly SumExchange<T>[], limit = Number.POSITIVE_INFINITY): void {
  let steps = exchanges.map((exchange) => exchange.next());
  for (let done = 0; steps.every((step) => !step.done); done++) {
    if (done === limit) return;
    const sent = steps.map(({ value }) => value as Float64Array[]);
    const sums = (sent[0] as Float64Array[]).map((_, i) => combine(sent.map((arrays) => arrays[i] as Float64Array)));
    steps = exchanges.map((exchange) => exchange.next(structuredClone(sums)));
  }
  expect(steps.every(({ done }) => done)).toBe(true);
}

const combine = (arrays: readonly Float64Array[]): Float64Array =>
  Float64Array.from(arrays[0] as Float64Array, (_, i) => arrays.reduce((sum, array) => sum + (array[i] as number), 0));

const kinds = [
  { objective: 'squared_error', rowShare: 0.7, columnShare: 0.6 },
  { objective: 'absolute_error', leavesAtOnce: 3 },
  { objective: 'log_loss', classes: 2, leavesAtOnce: 4, rowShare: 0.5 },
  { objective: 'log_loss', classes: 3, maxDepth: 4 },
] as const;

describe('shares of the rows', () => {
  it.each(kinds)('grow the same trees, bit for bit, as all rows together: %o', async (given) => {
    const settings = boostingSettings({ maxLeaves: 12, seed: 3, ...given });
    const rows = mixedTable(1500, { classes: 'classes' in given ? given.classes : 0 });
    const { trees } = await trainForest(rows, { settings, rounds: 4 });
    expect(trees[0]?.feature.length).toBe(23);
    for (const count of [1, 2, 3, 4]) {
      for (const shared of growShared(rows, settings, 4, count)) expect(shared).toEqual(trees);
    }
  });

  it.each(kinds)('may be dealt again between two rounds, also after one that was not finished: %o', async (given) => {
    const settings = boostingSettings({ maxLeaves: 12, seed: 3, ...given });
    const rows = mixedTable(1500, { classes: 'classes' in given ? given.classes : 0 });
    const { trees } = await trainForest(rows, { settings, rounds: 6 });
    const all = [0, 1, 2].map(() => boosterOf(rows, settings));
    const outputs = trees.length / 6;
    for (const [round, count] of [1, 2, 3, 2, 1, 3].entries()) {
      const boosters = all.slice(0, count);
      for (const booster of boosters) booster.replaceTrees(trees.slice(0, round * outputs));
      deal(boosters, 1500);
      const early = outputs === 1 ? 2 : 15; // in the second tree of three
      inStep(
        boosters.map((booster) => booster.round()),
        early,
      );
      expect(boosters[0]?.forest.trees.length).toBe(round * outputs);
      deal(boosters, 1500);
      inStep(boosters.map((booster) => booster.round()));
      for (const booster of boosters) expect(booster.forest.trees).toEqual(trees.slice(0, (round + 1) * outputs));
    }
  });

  it('continue from fewer trees than they had', async () => {
    const settings = boostingSettings({ maxLeaves: 12 });
    const rows = mixedTable(1500);
    const { trees } = await trainForest(rows, { settings, rounds: 5 });
    const booster = boosterOf(rows, settings);
    for (const have of [5, 2]) {
      booster.replaceTrees(trees.slice(0, have));
      expect(booster.loss()).toBe(await lossOf(rows, settings, have));
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

async function lossOf(rows: ForestRows, settings: BoostingSettings, rounds: number): Promise<number> {
  const booster = boosterOf(rows, settings);
  booster.replaceTrees((await trainForest(rows, { settings, rounds })).trees);
  return booster.loss();
}
