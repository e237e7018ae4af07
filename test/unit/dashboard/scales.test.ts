import fc from 'fast-check';
import { expect, test } from 'vitest';
import { knobAxis } from '../../../src/dashboard/charts/knob-scale.ts';
import { extent, linearScale, ticks } from '../../../src/dashboard/charts/scales.ts';
import { duration, knobValue, literal } from '../../../src/dashboard/state/format.ts';
import { pointBetween, quantileOf } from '../../../src/dashboard/state/serving-history.ts';
import type { ServedModelAnswer } from '../../../src/http/charts/serving.ts';

test('ticks are round, ascending, within their ends, and about as many as wanted', () => {
  const ends = fc.tuple(
    fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
  );
  fc.assert(
    fc.property(ends, fc.integer({ min: 2, max: 10 }), ([from, size], wanted) => {
      const to = from + size;
      const found = ticks(from, to, wanted);
      const slack = size * 1e-6;
      expect(found.length).toBeGreaterThan(0);
      expect(found.length).toBeLessThanOrEqual(wanted + 1);
      found.forEach((tick, i) => {
        expect(tick).toBeGreaterThanOrEqual(from - slack);
        expect(tick).toBeLessThanOrEqual(to + slack);
        if (i > 0) expect(tick).toBeGreaterThan(found[i - 1] as number);
      });
    }),
    { examples: [[[5e-6, 4000], 2]] },
  );
});

test('an extent is never empty, and a scale reaches both its ends', () => {
  expect(extent([])).toEqual([0, 1]);
  expect(extent([null, 3, 2, undefined, Number.NaN])).toEqual([2, 3]);
  const [low, high] = extent([5, 5]);
  expect(low).toBeLessThan(5);
  expect(high).toBeGreaterThan(5);
  expect([0, 10].map(linearScale(0, 10, 100, 0))).toEqual([100, 0]);
});

test('a knob that is the same everywhere has no axis; lists keep their order, ranges their logarithm', () => {
  expect(knobAxis({ knob: 'k', domain: { min: 0, max: 1 }, values: [0.5, 0.5] })).toBeUndefined();
  const list = knobAxis({ knob: 'k', domain: { list: [16, 32, 64] }, values: [64, 16, null] });
  expect(list).toMatchObject({ shares: [0.75, 0.25, null], marks: [{ text: '16' }, { text: '64' }] });
  const range = knobAxis({ knob: 'k', domain: { min: 1, max: 1000, log: true }, values: [1, 10, 100] });
  expect(range?.shares.map((share) => share?.toFixed(6))).toEqual(['0.000000', '0.500000', '1.000000']);
});

test('a quantileOf of counts is within the bucket that has it', () => {
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

const served = (calls: number, latencies: number[]): ServedModelAnswer => ({
  model: 'm',
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

test('rates are between two looks, and none is told when a server has restarted', () => {
  const before = { atMs: 1_000, models: [served(10, [10])] };
  expect(pointBetween(before, { atMs: 3_000, models: [served(30, [30])] })).toMatchObject({
    callsPerS: 10,
    p50Ms: 0.25,
  });
  expect(pointBetween(before, { atMs: 3_000, models: [served(10, [10])] })).toMatchObject({
    callsPerS: 0,
    p50Ms: null,
  });
  expect(pointBetween(before, { atMs: 3_000, models: [served(2, [2])] })).toBeUndefined();
});

test('times have two units at most, and texts are literals of SQL', () => {
  expect([null, 3.12, 59.6, 61, 3_600, 93_784].map((s) => duration(s))).toEqual([
    '–',
    '3.1 s',
    '1 min',
    '1 min 1 s',
    '1 h',
    '1 d 2 h',
  ]);
  expect(literal("O'Neil")).toBe("'O''Neil'");
  expect([0.000123456, 3, 'relu', true].map(knobValue)).toEqual(['0.000123', '3', 'relu', 'true']);
});
