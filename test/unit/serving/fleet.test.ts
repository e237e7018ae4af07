import { expect, it } from 'vitest';
import { ServedFleet } from '../../../src/serving/policies/fleet.ts';
import { LatencyModel } from '../../../src/serving/policies/latency-model.ts';

const members = [{ family: 'f', precision: 'float32' as const }];

it('knows of no rows that fit into a time before batches were measured', () => {
  const fleet = new ServedFleet({ members, accuracy: [0, 1], servers: 1 });
  expect(fleet.rowsWithin(1)).toBe(0);
  fleet.measured([new LatencyModel(new Map([[1, 0.1]]))]);
  expect(fleet.rowsWithin(1)).toBe(10);
});

it.each([
  ['on an accelerator', { 1: 2.05, 16: 2.8 }, true],
  ['where a batch saves little', { 1: 0.07, 16: 0.46 }, false],
])('says whether batches pay: %s', (_, ms, pay) => {
  const fleet = new ServedFleet({ members, accuracy: [0, 1], servers: 1 });
  fleet.measured([new LatencyModel(new Map(Object.entries(ms).map(([rows, time]) => [Number(rows), time])))]);
  expect(fleet.batchesPay).toBe(pay);
});
