import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  latencyBoundsMs,
  pointBetween,
  quantileOf,
  sizeBounds,
  stepBetween,
} from '../../../src/dashboard/state/serving-history.ts';
import type { ServedModelAnswer } from '../../../src/http/charts/serving.ts';
import { PredictStat } from '../../../src/serving/predict-stat.ts';

test('a quantile of counts is within the bucket that has it', () => {
  const bounds = [1, 10, 100];
  expect(quantileOf([0, 0, 0, 0], bounds, 0.5)).toBeNull();
  expect(quantileOf([10, 0, 0, 0], bounds, 0.5)).toBe(0.5);
  expect(quantileOf([1, 0, 1, 0], bounds, 0.99)).toBeCloseTo(98.2);
  expect(quantileOf([0, 0, 0, 4], bounds, 0.5)).toBe(100);
  const values = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(values, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (given, q) => {
      const counts = [0, 0, 0, 0];
      for (const value of given) counts[bounds.findIndex((bound) => value <= bound)]!++;
      const exact = [...given].sort((a, b) => a - b)[Math.ceil(q * given.length) - 1] as number;
      const bucket = bounds.findIndex((bound) => exact <= bound);
      const found = quantileOf(counts, bounds, q) as number;
      expect(found).toBeLessThanOrEqual((bounds[bucket] as number) + 1e-9);
      expect(found).toBeGreaterThanOrEqual(bucket === 0 ? 0 : (bounds[bucket - 1] as number) - 1e-9);
    }),
  );
});

const served = (calls: number, latencies: number[], model = 'm'): ServedModelAnswer => ({
  model,
  version: 1,
  budget_ms: 50,
  calls,
  rows: calls,
  cached: 0,
  batches: calls,
  overdue: 0,
  refused: 0,
  p50_ms: null,
  p99_ms: null,
  latencies,
  batch_sizes: [],
  members: [],
  memory: [],
});

test('rates are between two steps, and none is told when a server has restarted', () => {
  const before = served(10, [10, 5]);
  expect(pointBetween(before, served(30, [30, 5]), 2)).toMatchObject({ callsPerS: 10, p50Ms: 0.25 });
  expect(pointBetween(before, served(10, [10, 5]), 2)).toMatchObject({ callsPerS: 0, p50Ms: null });
  expect(pointBetween(before, served(2, [2, 0]), 2)).toBeUndefined();
  // one server has restarted, and others have grown by more
  expect(pointBetween(before, served(40, [40, 0]), 2)).toBeUndefined();
});

test('each model has rates of its own, and one that has just been granted has none for its old calls', () => {
  const before = { atMs: 1_000, models: [served(10, [10])] };
  const { at, byModel } = stepBetween(before, {
    atMs: 3_000,
    models: [served(30, [30]), served(9_000, [9_000], 'new')],
  });
  expect([at, [...byModel.keys()], byModel.get('m')?.callsPerS]).toEqual([3, ['m'], 10]);
});

test('its bounds are those that prediction servers count by', () => {
  const { latency, batchSizes } = new PredictStat();
  expect(latencyBoundsMs).toEqual(latency.buckets().bounds.map((seconds) => seconds * 1000));
  expect(sizeBounds).toEqual(batchSizes.buckets().bounds);
});
