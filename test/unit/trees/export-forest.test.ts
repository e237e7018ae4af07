import { describe, expect, it } from 'vitest';
import { createSession } from '../../../src/engine/session.ts';
import { binTable } from '../../../src/trees/binned-table.ts';
import { exportForest } from '../../../src/trees/export-forest.ts';
import type { FeatureColumn } from '../../../src/trees/feature-bins.ts';
import type { Forest } from '../../../src/trees/forest.ts';
import { boostingSettings } from '../../../src/trees/settings.ts';
import { divisionAt, exportedNodes, namedCategories } from '../../../src/trees/tree.ts';
import { forestAnswers } from '../../support/forest-answers.ts';
import { trainForest } from '../../support/train-forest.ts';
import { mixedTable } from './tables.ts';

/** The answers of the exported file in ONNX Runtime, row-major. */
async function onnxAnswers(forest: Forest, columns: readonly FeatureColumn[], threads = 1): Promise<Float32Array> {
  const rows = columns[0]?.values.length ?? 0;
  const data = new Float32Array(rows * columns.length);
  for (const [f, { values }] of columns.entries())
    for (const [i, value] of values.entries()) data[i * columns.length + f] = value;
  const session = await createSession(exportForest(forest), threads);
  const output = await session.run({ features: { dtype: 'float32', shape: [rows, columns.length], data } });
  await session.release();
  return Object.values(output)[0]?.data as Float32Array;
}

async function expectEqual(forest: Forest, columns: readonly FeatureColumn[]): Promise<void> {
  const expected = forestAnswers(forest, binTable(forest.features, columns));
  const answers = await onnxAnswers(forest, columns);
  expect(answers.length).toBe(expected.length * (expected[0]?.length ?? 0));
  for (const [i, answer] of answers.entries()) {
    const own = expected[i % expected.length]?.[Math.floor(i / expected.length)] as number;
    expect(Math.abs(answer - own)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(own)));
  }
}

describe('an exported forest', () => {
  it.each([
    { objective: 'squared_error' },
    { objective: 'absolute_error', minLeafWeight: 5 },
    { objective: 'log_loss', classes: 2 },
    { objective: 'log_loss', classes: 4 },
  ] as const)('answers in ONNX Runtime as the trainer does, for all rows: %o', async (given) => {
    const [rows, others] = [1, 2].map((seed) =>
      mixedTable(3000, { seed, classes: 'classes' in given ? given.classes : 0 }),
    ) as [ReturnType<typeof mixedTable>, ReturnType<typeof mixedTable>];
    const forest = await trainForest(rows, { settings: boostingSettings({ maxLeaves: 20, ...given }), rounds: 60 });
    expect(forest.trees.some(({ sets }) => sets.length > 0)).toBe(true);
    await expectEqual(forest, rows.columns);
    await expectEqual(forest, others.columns);
  });

  it('knows unknown categories, infinities, and values on the edge between two bins', async () => {
    const rows = mixedTable(3000);
    const forest = await trainForest(rows, { settings: boostingSettings({}), rounds: 30 });
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 99, 1.5, -3];
    const columns = forest.features.map(({ categorical, edges }, f) => {
      const values = Float32Array.from(
        { length: 2000 },
        (_, i) => special[(i * (f + 3)) % 13] ?? edges[i % edges.length] ?? 0,
      );
      return { categorical, values };
    });
    await expectEqual(forest, columns);
  });

  it('gives the same bits on one and on two threads', async () => {
    const rows = mixedTable(5000);
    const forest = await trainForest(rows, { settings: boostingSettings({}), rounds: 50 });
    const once = await onnxAnswers(forest, rows.columns);
    for (const threads of [1, 2, 2]) expect(await onnxAnswers(forest, rows.columns, threads)).toEqual(once);
  });

  it('names at most 64 categories in a split, and has as many nodes as are counted', async () => {
    const values = Float32Array.from({ length: 4000 }, (_, i) => i % 250);
    const columns = [{ categorical: true, values }];
    const targets = { values: values.map((category) => Math.sin(category * 7)) };
    const forest = await trainForest(
      { columns, targets },
      { settings: boostingSettings({ maxLeaves: 64 }), rounds: 10 },
    );
    const named = forest.trees.flatMap((tree) =>
      [...tree.feature.keys()]
        .filter((node) => tree.feature[node] === 0)
        .map((node) => namedCategories(forest.features[0]?.edges ?? [], divisionAt(tree, node, true)).length),
    );
    expect(Math.max(...named)).toBeLessThanOrEqual(64);
    expect(Math.max(...named)).toBeGreaterThan(20);
    await expectEqual(forest, columns);
    const nodes = forest.trees.reduce((sum, tree) => sum + exportedNodes(tree, forest.features), 0);
    expect(
      Buffer.from(exportForest(forest))
        .toString('latin1')
        .match(/BRANCH_EQ|LEAF/g),
    ).toHaveLength(nodes);
  });

  it('may have no trees, or trees without a split', async () => {
    const rows = mixedTable(50, { classes: 3 });
    const settings = boostingSettings({ objective: 'log_loss', classes: 3 });
    await expectEqual(await trainForest(rows, { settings, rounds: 0 }), rows.columns);
    await expectEqual(await trainForest(rows, { settings: { ...settings, minGain: 1e9 }, rounds: 2 }), rows.columns);
  });
});
