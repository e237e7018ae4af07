import { expect, it } from 'vitest';
import { assumedAccuracies, ServedFleet } from '../../../src/serving/policies/fleet.ts';
import { LatencyModel } from '../../../src/serving/policies/latency-model.ts';

const members = [{ family: 'f', precision: 'float32' as const, variantOf: null }];

it('fits no rows into a time before batches were measured', () => {
  const fleet = new ServedFleet({ members, accuracy: [0, 1], servers: 1 });
  expect(fleet.rowsWithin(1)).toBe(0);
  fleet.measured([new LatencyModel(new Map([[1, 0.1]]))]);
  expect(fleet.rowsWithin(1)).toBe(10);
});

it.each([
  ['on an accelerator', { 1: 2.05, 16: 2.8 }, true],
  ['where a batch saves little', { 1: 0.07, 16: 0.46 }, false],
  ['where a row takes a quarter in a batch', { 1: 1, 16: 4 }, true],
  ['where it takes a little more', { 1: 0.99, 16: 4 }, false],
])('says whether batches pay: %s', (_, ms, pay) => {
  const fleet = new ServedFleet({ members, accuracy: [0, 1], servers: 1 });
  fleet.measured([new LatencyModel(new Map(Object.entries(ms).map(([rows, time]) => [Number(rows), time])))]);
  expect(fleet.batchesPay).toBe(pay);
});

it('estimates a subset as accurate as its best member, without stored accuracies', () => {
  expect(assumedAccuracies([{ score: 0.8 }, { score: 0.7 }], 0.9)).toEqual([0, 0.8, 0.7, 0.9]);
  expect(assumedAccuracies([{ score: 0.8 }, { score: 0.6 }, { score: 0.7 }], 0.9)).toEqual([
    ...[0, 0.8, 0.6, 0.8, 0.7, 0.8, 0.7, 0.9],
  ]);
});

it('follows the times of batches of several members, each in proportion', () => {
  const pair = [
    ...members,
    { family: 'g', precision: 'float32' as const, variantOf: null },
    { family: 'f', precision: 'int8' as const, variantOf: null },
  ];
  const fleet = new ServedFleet({ members: pair, accuracy: [0, 0.8, 0.7, 0.9, 0.8, 0.8, 0.9, 0.9], servers: 2 });
  const rowMs = [3, 1, 0.5];
  fleet.measured(rowMs.map((ms) => new LatencyModel(new Map([1, 256].map((rows) => [rows, rows * ms])))));
  expect([fleet.exact, fleet.best, fleet.originals, fleet.stations]).toEqual([
    ...[3, 6, [0, 1, 0], [{ members: 7, servers: 2 }]],
  ]);
  expect(fleet.subsetMs(3, 10)).toBeCloseTo(40, 9);
  expect(fleet.describe()).toMatchObject({ 1: 1.5, 256: 384 });
  for (let i = 0; i < 200; i++) fleet.observe(3, 256, 2 * 4 * 256);
  expect(fleet.latencyMs(0, 256) / fleet.latencyMs(1, 256)).toBeCloseTo(3, 6);
  expect(fleet.latencyMs(0, 256)).toBeGreaterThan(1.9 * 3 * 256);
  expect(fleet.latencyMs(2, 256)).toBe(128);
});
