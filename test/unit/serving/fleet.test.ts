import { expect, it } from 'vitest';
import { accuraciesOf, askedMembers, assumedAccuracies, ServedFleet } from '../../../src/serving/policies/fleet.ts';
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

const member = {
  ...{ family: 'f', precision: 'float32' as const, paramsId: 1, encoderId: null, variantOf: null },
  ...{ score: 0, weight: 1, temperature: 1 },
};
const row = (count: number) => ({
  ...{ rule: 'vote' as const, task: 'sentiment' as const, members: new Array<typeof member>(count).fill(member) },
});

it('asks no more members than a study makes, and says so at once', () => {
  expect(askedMembers(row(6))).toHaveLength(6);
  for (const count of [0, 7, 40, 1_000_000])
    expect(() => askedMembers(row(count))).toThrowError(expect.objectContaining({ sqlstate: '54000' }));
});

it('asks all members of an imported ensemble that says nothing of its parts, since it has no scores', () => {
  const three = row(3).members;
  const imported = accuraciesOf({ accuracies: null, foreignOwner: 10, score: 0 }, three);
  expect(new ServedFleet({ members: three, accuracy: imported, servers: 1 }).best).toBe(7);
  const forged = accuraciesOf({ accuracies: [0, 1], foreignOwner: 10, score: 0 }, three); // of one member
  expect(forged).toHaveLength(8);
});

it('takes a variant of nothing for a member of its own', () => {
  const strange = [{ family: 'g', precision: 'int8' as const, variantOf: 9 }, ...members];
  expect(new ServedFleet({ members: strange, accuracy: [0, 1, 1, 1], servers: 1 }).originals).toEqual([0, 1]);
});
