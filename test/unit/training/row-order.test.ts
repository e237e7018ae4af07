import { expect, test } from 'vitest';
import { createRng } from '../../../src/runtime/rng.ts';
import { balancedOrder, shuffledOrder } from '../../../src/training/row-order.ts';

test('each pass has each row once', () => {
  const order = shuffledOrder(50, 2, createRng(1));
  expect([...order.subarray(0, 50)].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect([...order.subarray(0, 50)]).not.toEqual([...order.subarray(50)]);
});

test('balanced classes are seen equally often, their rows in turns, in any order', () => {
  const labels = Uint16Array.from({ length: 90 }, (_, row) => (row < 80 ? 0 : row < 89 ? 1 : 3)); // no row of class 2
  const order = balancedOrder(labels, 2, createRng(1));
  expect(order).toHaveLength(180);
  const seen = new Int32Array(90);
  for (const row of order) seen[row]!++;
  const range = (from: number, to: number): number[] => [
    Math.min(...seen.subarray(from, to)),
    Math.max(...seen.subarray(from, to)),
  ];
  expect(range(0, 80)).toEqual([0, 1]); // N / (K n) = 90 / (3 · 80) a pass
  expect(range(80, 89)).toEqual([6, 7]); // 90 / (3 · 9) a pass
  expect(range(89, 90)).toEqual([60, 60]);
  expect([...order.subarray(0, 60)].some((row) => row >= 80)).toBe(true);
});
