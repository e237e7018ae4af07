import { expect, it } from 'vitest';
import { packTrees, unpackTrees } from '../../../src/trees/forest-tensors.ts';
import { boostingSettings } from '../../../src/trees/settings.ts';
import { trainForest } from '../../support/train-forest.ts';
import { mixedTable } from './tables.ts';

const forest = trainForest(mixedTable(500), { settings: boostingSettings({ maxLeaves: 9 }), rounds: 5 });

it('stores trees with and without sets of categories, and reads the same ones', async () => {
  const { trees } = await forest;
  expect(trees.some(({ sets }) => sets.length > 0)).toBe(true);
  expect(unpackTrees(packTrees(trees))).toEqual(trees);
  expect(unpackTrees(packTrees([]))).toEqual([]);
});

it('refuses tensors that are missing, or of another length', async () => {
  const packed = packTrees((await forest).trees);
  const { value: _, ...without } = packed;
  expect(() => unpackTrees(without)).toThrow(expect.objectContaining({ detail: expect.stringContaining('"value"') }));
  const shorter = { ...packed, feature: { dtype: 'int32' as const, shape: [1], data: Int32Array.of(-1) } };
  expect(() => unpackTrees(shorter)).toThrow(expect.objectContaining({ detail: expect.stringContaining('"sizes"') }));
});
