import { expect, it } from 'vitest';
import { RoleQueues } from '../../../src/serving/queue/role-queues.ts';
import { updateSlowness } from '../../../src/serving/queue/slowness.ts';

const setUp = () => {
  const queues = new RoleQueues();
  const [a, b] = [queues.roleQueueOf('a'), queues.roleQueueOf('b')];
  const run = (roles: (typeof a)[], ms: number): boolean =>
    updateSlowness(roles, { ms, expectedMs: 2, shortMs: 25 }, queues.known);
  return { a, b, run };
};

it("separates a role with much slower rows, and does not count them as the model's time", () => {
  const { a, b, run } = setUp();
  expect(run([b], 2)).toBe(true);
  expect(run([a], 1000)).toBe(false);
  expect([a.isSlow, b.isSlow]).toEqual([true, false]);
});

it('suspects all roles of a slow batch, until separate batches show which one it is', () => {
  const { a, b, run } = setUp();
  expect(run([a, b], 1000)).toBe(false);
  run([b], 2);
  run([a], 1000);
  expect([a.isSlow, b.isSlow]).toEqual([true, false]);
});

it('separates no role if the machine is slow for all', () => {
  const { a, b, run } = setUp();
  for (let i = 0; i < 10; i++) {
    run([a], 20);
    run([b], 20);
  }
  expect([a.isSlow, b.isSlow]).toEqual([false, false]);
});

it('lets a role that is a little slow on a busy machine stay with the others while one is far slower', () => {
  const { a, b, run } = setUp();
  for (let i = 0; i < 5; i++) run([a], 1000);
  for (let i = 0; i < 5; i++) run([b], 30);
  expect([a.isSlow, b.isSlow]).toEqual([true, false]);
});

it("no longer separates a role whose rows are as quick as the others' again", () => {
  const { a, b, run } = setUp();
  run([b], 2);
  run([a], 1000);
  for (let i = 0; i < 10; i++) run([a], 2);
  expect(a.isSlow).toBe(false);
});

it('sets a role apart though the model’s own time was already thought far too long', () => {
  const { a, b, run } = setUp();
  for (let i = 0; i < 10; i++) run([b], 0.02);
  for (let i = 0; i < 3; i++) run([a], 60);
  expect([a.isSlow, b.isSlow]).toEqual([true, false]);
});

it("detects the slow role, although its rows delay the others'", () => {
  const { a, b, run } = setUp();
  run([b], 2);
  for (let i = 0; i < 20; i++) {
    run([b], 800);
    run([a], 1000);
  }
  expect([a.isSlow, b.isSlow]).toEqual([true, false]);
});
