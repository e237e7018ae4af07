import { describe, expect, it } from 'vitest';
import {
  ACTION_FEATURES,
  type Outlook,
  outlookOf,
  type Prospect,
  STATE_FEATURES,
} from '../../../src/serving/policies/learned/outlook.ts';
import type { PolicyState } from '../../../src/serving/policies/policy.ts';
import { oneMember, stateOf, threeMembers } from './policy-state.ts';

const batches = ({ prospects }: Outlook): Pick<Prospect, 'subset' | 'rows'>[] =>
  prospects.map(({ subset, rows }) => ({ subset, rows }));

/** `late` requests at the head have 2 ms left, the others 50. */
const withLate = (late: number, queued: number): Pick<PolicyState, 'queue'> => ({
  queue: { length: queued, deadlineMs: (place) => (place < late ? 1002 : 1050) },
});

describe('the outlook of the actor-critic', () => {
  it('has batches of the sizes that the queue fills, and of all that wait if they fit', () => {
    const sizes = (queued: number): number[] =>
      batches(outlookOf({ fleet: oneMember, seed: 1 }, stateOf(oneMember, { queued }))).map(({ rows }) => rows);
    expect(sizes(3)).toEqual([1, 3]);
    expect(sizes(100)).toEqual([1, 4, 16, 64, 100]);
    expect(sizes(1000)).toEqual([1, 4, 16, 64, 256]);
  });

  it('has few of many sizes', () => {
    const many = { ...oneMember, sizes: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128] };
    const { prospects } = outlookOf({ fleet: many, seed: 1 }, stateOf(many, { queued: 40 }));
    expect(prospects.map(({ rows }) => rows)).toEqual([8, 12, 16, 24, 32, 40]);
  });

  it('has the small batches that can be in time if many wait and no large one can', () => {
    const many = { ...oneMember, sizes: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128] };
    const { prospects } = outlookOf({ fleet: many, seed: 1 }, stateOf(many, { queued: 400, leftMs: 2.21 }));
    expect(prospects.map(({ rows }) => rows)).toEqual([1, 2, 3, 4]);
  });

  it('has batches for free devices only, and waiting for the next device if one is busy', () => {
    const state = stateOf(threeMembers, { queued: 4, freeMs: [[1020], [900], [1010]] });
    const outlook = outlookOf({ fleet: threeMembers, seed: 1 }, state);
    expect(batches(outlook)).toEqual([
      { subset: 0, rows: 0 },
      { subset: 2, rows: 4 },
    ]);
    expect(outlook.nextFreeMs).toBe(1010);
  });

  it('leaves out what a batch would make late, but not if everything is served', () => {
    const state = stateOf(oneMember, { queued: 20, ...withLate(5, 20) });
    const seen = outlookOf({ fleet: oneMember, seed: 1 }, state).prospects.at(-1);
    expect(seen).toMatchObject({ from: 5, rows: 15 });
    const all = outlookOf({ fleet: oneMember, seed: 1, leavesOut: () => 0 }, state).prospects.at(-1);
    expect(all).toMatchObject({ from: 0, rows: 20 });
    // of 20 ms · 256 rows ÷ 14.8 ms
    const mostRows = (50 * 256) / 14.8;
    expect(seen?.reward).toBeCloseTo((0.9 * 15) / mostRows, 9);
    expect(all?.reward).toBeCloseTo((0.9 * 15) / mostRows, 9);
  });

  it('is empty if nothing can be in time and no device is busy', () => {
    const state = stateOf(oneMember, { queued: 5, ...withLate(5, 5) });
    expect(outlookOf({ fleet: oneMember, seed: 1 }, state).prospects).toEqual([]);
  });

  it('looks the same for a fleet that is twice as slow, with twice the budget, at half the rate', () => {
    const options = { queued: 100, rate: 3 };
    const queue = { length: 100, deadlineMs: (place: number) => 1005 + place / 4 };
    const slow = { ...threeMembers, latencyMs: (m: number, rows: number) => 2 * threeMembers.latencyMs(m, rows) };
    const slowQueue = { length: 100, deadlineMs: (place: number) => 2 * queue.deadlineMs(place) };
    const freeMs = [[900], [1007], [800]];
    const quick = outlookOf({ fleet: threeMembers, seed: 1 }, stateOf(threeMembers, { ...options, queue, freeMs }));
    const late = outlookOf(
      { fleet: slow, seed: 1 },
      {
        ...stateOf(slow, { ...options, queue: slowQueue, rate: 1.5, freeMs: [[1800], [2014], [1600]] }),
        ...{ nowMs: 2000, budgetMs: 100 },
      },
    );
    expect(batches(late)).toEqual(batches(quick));
    quick.actions.forEach((value, i) => {
      expect(late.actions[i]).toBeCloseTo(value, 9);
    });
    expect(quick.state).toHaveLength(STATE_FEATURES);
    expect(quick.actions).toHaveLength(quick.prospects.length * ACTION_FEATURES);
    expect(quick.actions.every(Number.isFinite)).toBe(true);
  });

  it('sees no further than where everything is late', () => {
    const state = stateOf(threeMembers, { queued: 1e5, leftMs: -1e6, rate: 1e3 });
    const { actions } = outlookOf({ fleet: threeMembers, seed: 1, leavesOut: () => 0 }, state);
    expect(Math.max(...actions.map(Math.abs))).toBeLessThanOrEqual(3);
  });

  it('sees numbers where nothing has been measured yet, and every batch takes no time', () => {
    const unknown = { ...threeMembers, latencyMs: () => 0 };
    const { actions, prospects, state } = outlookOf({ fleet: unknown, seed: 1 }, stateOf(unknown, { queued: 10 }));
    expect([...actions, ...state, ...prospects.map(({ reward }) => reward)].every(Number.isFinite)).toBe(true);
  });
});
