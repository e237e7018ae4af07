import { expect, test } from 'vitest';
import { trendOf } from '../../../bench/load/trend.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const rng = createRng(1);
const series = (y: (x: number) => number) => Array.from({ length: 300 }, (_, x) => ({ x, y: y(x) }));

test('noise about a level is no growth', () => {
  expect(trendOf(series(() => 100 + rng.normal())).ok).toBe(true);
});

test('growth that is more than the noise is seen, and how much', () => {
  const trend = trendOf(series((x) => 100 + x / 10 + rng.normal()));
  expect(trend.ok).toBe(false);
  expect(trend.drift).toBeCloseTo(27, 0); // nine tenths of 300 seconds
});

test('a single outlier and a first tenth that fills caches make no growth', () => {
  const trend = trendOf(series((x) => (x < 30 ? x : x === 299 ? 1000 : 30)));
  expect(trend).toMatchObject({ ok: true, drift: 0, noise: 0 });
});

test('steps down at restarts and a level between them are no growth', () => {
  expect(trendOf(series((x) => (x % 50 < 5 ? 60 : 100) + rng.normal())).ok).toBe(true);
});
