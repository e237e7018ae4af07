import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/runtime/rng.ts';
import { binTable } from '../../../src/trees/binned-table.ts';
import { type Forest, forestScores } from '../../../src/trees/forest.ts';
import type { ForestRows } from '../../../src/trees/objective.ts';
import { boostingSettings } from '../../../src/trees/settings.ts';
import { forestAnswers } from '../../support/forest-answers.ts';
import { trainForest } from '../../support/train-forest.ts';
import { mixedTable } from './tables.ts';

const answersOf = (forest: Forest, { columns }: ForestRows) =>
  forestAnswers(forest, binTable(forest.features, columns));

function meanError(forest: Forest, rows: ForestRows, of: (difference: number) => number): number {
  const [answers] = answersOf(forest, rows) as [Float64Array];
  return answers.reduce((sum, a, i) => sum + of(a - (rows.targets.values[i] as number)), 0) / answers.length;
}

describe('training a forest', () => {
  const [rows, others] = [mixedTable(4000), mixedTable(2000, { seed: 2 })];

  it('learns what the target depends on, up to the noise', async () => {
    const forest = await trainForest(rows, { settings: boostingSettings({}), rounds: 100 });
    expect(Math.sqrt(meanError(forest, others, (d) => d * d))).toBeLessThan(0.46); // the noise has 0.4
  });

  it('by absolute error is not moved by wild targets', async () => {
    const rng = createRng(9);
    const values = rows.targets.values.map((v) => (rng.uniform() < 0.05 ? v + 1e4 : v));
    const wild = { ...rows, targets: { values } };
    const settings = boostingSettings({ objective: 'absolute_error', minLeafWeight: 20 });
    const forest = await trainForest(wild, { settings, rounds: 100 });
    expect(meanError(forest, others, Math.abs)).toBeLessThan(0.4);
    const squared = await trainForest(wild, { settings: boostingSettings({ minLeafWeight: 20 }), rounds: 100 });
    expect(meanError(squared, others, Math.abs)).toBeGreaterThan(100);
  });

  it('tells classes apart, with probabilities that add up to one', async () => {
    const [some, more] = [mixedTable(4000, { classes: 3 }), mixedTable(1000, { classes: 3, seed: 2 })];
    const settings = boostingSettings({ objective: 'log_loss', classes: 3 });
    const answers = answersOf(await trainForest(some, { settings, rounds: 40 }), more);
    let right = 0;
    for (const [i, value] of more.targets.values.entries()) {
      const own = answers.map((shares) => shares[i] as number);
      expect(own.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
      right += Number(own.indexOf(Math.max(...own)) === value);
    }
    expect(right / more.targets.values.length).toBeGreaterThan(0.65);
  });

  it('continues from a checkpoint with the same bits as without a break', async () => {
    const settings = boostingSettings({ objective: 'absolute_error', rowShare: 0.8, columnShare: 0.5, seed: 4 });
    const whole = await trainForest(rows, { settings, rounds: 9 });
    const start = await trainForest(rows, { settings, rounds: 4 });
    expect(await trainForest(rows, { settings, rounds: 9, start })).toEqual(whole);
  });

  it('counts a row of weight 3 as three rows, and one of weight 0 not at all', async () => {
    const weights = Float32Array.from(rows.targets.values, (_, i) => (i % 3 === 0 ? 3 : i % 3 === 1 ? 1 : 0));
    const settings = boostingSettings({ maxLeaves: 8 });
    const repeated = [...weights].flatMap((weight, i) => Array<number>(weight).fill(i));
    const take = (values: Float32Array) => Float32Array.from(repeated, (i) => values[i] as number);
    const copies = {
      columns: rows.columns.map((column) => ({ ...column, values: take(column.values) })),
      targets: { values: take(rows.targets.values) },
    };
    // With the same bins; theirs depend on rows, not on weights.
    const { features } = await trainForest(rows, { settings, rounds: 0 });
    const start = (base: Forest) => ({ ...base, features, trees: [] });
    const weighted = { ...rows, targets: { ...rows.targets, weights } };
    const a = await trainForest(weighted, {
      settings,
      rounds: 10,
      start: start(await trainForest(weighted, { settings, rounds: 0 })),
    });
    const b = await trainForest(copies, {
      settings,
      rounds: 10,
      start: start(await trainForest(copies, { settings, rounds: 0 })),
    });
    const table = binTable(features, others.columns);
    const [left, right] = [forestScores(a, table), forestScores(b, table)] as [[Float64Array], [Float64Array]];
    for (const [i, score] of left[0].entries()) expect(score).toBeCloseTo(right[0][i] as number, 4);
  });

  it('draws other rows and columns with another seed', async () => {
    const grow = (seed: number) =>
      trainForest(rows, { settings: boostingSettings({ rowShare: 0.5, seed }), rounds: 1 });
    const first = await grow(1);
    expect(await grow(1)).toEqual(first);
    expect((await grow(2)).trees).not.toEqual(first.trees);
    const narrow = await trainForest(rows, { settings: boostingSettings({ columnShare: 0.2 }), rounds: 10 });
    for (const { feature } of narrow.trees) expect(new Set(feature.filter((f) => f >= 0)).size).toBe(1);
  });
});

describe('bad input', () => {
  const rows = mixedTable(10);

  it('names the setting and its range', () => {
    expect(() => boostingSettings({ maxLeaves: 1 })).toThrow('maxLeaves of a forest is 1');
    expect(() => boostingSettings({ l2: Number.NaN })).toThrow('l2');
    expect(() => boostingSettings({ objective: 'hinge' as never })).toThrow('there is no objective "hinge"');
  });

  it('of so few rows that none is drawn gives trees that add nothing', async () => {
    for (const objective of ['squared_error', 'absolute_error'] as const) {
      const settings = boostingSettings({ objective, rowShare: 0.01 });
      const { trees } = await trainForest(rows, { settings, rounds: 2 });
      expect(trees.map(({ value }) => [...value])).toEqual([[0], [0]]);
    }
  });

  it('of a constant target is no fault: the forest answers with it', async () => {
    const constant = { ...rows, targets: { values: new Float32Array(10).fill(7) } };
    const forest = await trainForest(constant, { settings: boostingSettings({}), rounds: 3 });
    expect(answersOf(forest, rows)[0]).toEqual(new Float64Array(10).fill(7));
  });
});
