import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyChoice } from '../../../src/serving/policies/choices.ts';
import { LookAhead } from '../../../src/serving/policies/look-ahead.ts';
import type { PolicyState } from '../../../src/serving/policies/policy.ts';
import { pricesAt } from '../../../src/serving/policies/prices.ts';
import { oneMember, stateOf, threeMembers } from './policy-state.ts';

const nothing = { stations: [0, 0, 0], request: 0 };
const look = (changes: Partial<PolicyState> & { queued: number; leftMs?: number }, prices = nothing): LookAhead =>
  new LookAhead(threeMembers, stateOf(threeMembers, changes), prices);

describe('a look ahead', () => {
  it('counts arrivals at the current rate', () => {
    const ahead = look({ queued: 10, rate: 0.5 });
    expect([ahead.tail, ahead.nextArrivalMs]).toEqual([10, expect.closeTo(1002, 6)]);
    ahead.nowMs = 1005;
    expect([ahead.tail, ahead.nextArrivalMs]).toEqual([12, expect.closeTo(1006, 6)]);
    ahead.nowMs = ahead.nextArrivalMs;
    expect(ahead.tail).toBe(13);
    // each has the budget from its arrival on: those of 1002, 1004 and 1006 are due at 1052, 1054 and 1056
    expect([1050, 1052, 1053, 1056, 1057].map((ms) => ahead.inTime(ms))).toEqual([13, 3, 2, 1, 0]);
    expect(look({ queued: 10, rate: 0 }).nextArrivalMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('knows when servers are free', () => {
    const ahead = look({ queued: 10, freeMs: [[1003], [1001], [0]] });
    expect([ahead.nextFreeMs, ahead.isAnyFree]).toEqual([1001, true]);
    ahead.nowMs = 1001;
    expect([ahead.nextFreeMs, ahead.isAnyFree]).toEqual([1003, true]);
    expect(look({ queued: 10, freeMs: [[1003], [1001], [1002]] }).isAnyFree).toBe(false);
    expect(look({ queued: 10 }).nextFreeMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('simulates a batch: its rows leave, its servers are busy, and work beyond the horizon counts', () => {
    const ahead = look({ queued: 10 }, { stations: [1, 10, 100], request: 0 });
    const [batch] = ahead.choices().filter(({ subset, size }) => subset === 7 && size === 1);
    expect(batch).toMatchObject({ from: 0, rows: 10, startMs: 1000 });
    ahead.take(batch!);
    // 16 rows take 8.4, 5.6 and 2.8 ms
    expect([ahead.head, ahead.nextFreeMs]).toEqual([10, expect.closeTo(1002.8, 9)]);
    expect(ahead.committedCost(1002.8)).toBeCloseTo(5.6 + 28, 6);
    expect(ahead.committedCost(1005.6)).toBeCloseTo(2.8, 6);
    ahead.nowMs = 1004;
    ahead.take({ ...batch!, from: 10, rows: 2 });
    expect(ahead.committedCost(1004)).toBeCloseTo(4.4 + 8.4 + 10 * (1.6 + 5.6) + 100 * 2.8, 6);
    ahead.reset();
    expect([ahead.nowMs, ahead.head, ahead.committedCost(1000)]).toEqual([1000, 0, 0]);
  });

  it('values a batch by its rows, minus the cost of servers, and by the rows that it leaves', () => {
    const deadlineMs = (place: number): number => (place < 3 ? 1001 : 1050);
    const prices = { stations: [0.01, 0.02, 0.03], request: 0.1 };
    const ahead = look({ queued: 10, queue: { length: 10, deadlineMs }, freeMs: [[1002], [0], [0]] }, prices);
    const of = (subset: number) => ahead.choices().find((choice) => choice.subset === subset && choice.size === 1);
    const alone = of(4);
    expect(alone).toMatchObject({ from: 3, rows: 7, startMs: 1000 });
    // accuracy .75 less a request's worth, for each; the third server for 2.8 ms; three are lost; .0001 for each row
    expect(alone?.score).toBeCloseTo(7 * (0.7501 - 0.1) - 0.03 * 2.8 - 3 * 0.1, 9);
    const all = of(7);
    expect(all?.startMs).toBe(1002);
    const busy = 0.01 * 8.4 + 0.02 * 5.6 + 0.03 * 2.8;
    const idle = (0.001 * 2) / 50 + (0.02 + 0.03) * 2;
    expect(all?.score).toBeCloseTo(7 * (0.8301 - 0.1) - busy - 3 * 0.1 - idle, 9);
  });

  it('finds the best of all choices, although it skips impossible ones', () => {
    const state = fc.record({
      queued: fc.integer({ min: 1, max: 128 }),
      rate: fc.double({ min: 0.01, max: 60, noNaN: true }),
      leftMs: fc.double({ min: 1, max: 60, noNaN: true }),
      freeMs: fc.array(fc.tuple(fc.double({ min: 990, max: 1030, noNaN: true })), { minLength: 3, maxLength: 3 }),
    });
    fc.assert(
      fc.property(state, fc.constantFrom(oneMember, threeMembers), (changes, fleet) => {
        const freeMs = changes.freeMs.slice(0, fleet.stations.length);
        const from = stateOf(fleet, { ...changes, freeMs });
        const ahead = new LookAhead(fleet, from, pricesAt(fleet, changes.rate, 50));
        const best = emptyChoice();
        const found = ahead.findBest(best);
        const choices = ahead.choices();
        expect(found).toBe(choices.length > 0);
        if (found) expect(best.score).toBeCloseTo(Math.max(...choices.map(({ score }) => score)), 9);
      }),
      { numRuns: 500 },
    );
  });

  it('considers only the two largest sizes if more wait than two of the largest batches', () => {
    const crowd = look({ queued: 129 });
    const best = emptyChoice();
    crowd.findBest(best);
    expect(best.size).toBeGreaterThanOrEqual(1);
    expect(
      look({ queued: 3 })
        .choices()
        .map(({ size }) => size),
    ).toEqual([0, 0, 0, 0]);
    expect(
      new Set(
        look({ queued: 5 })
          .choices()
          .map(({ size }) => size),
      ),
    ).toEqual(new Set([0, 1]));
  });

  it('answers no late request', () => {
    expect(look({ queued: 5, leftMs: 1 }).choices()).toEqual([]);
    expect(look({ queued: 5, leftMs: 1 }).findBest(emptyChoice())).toBe(false);
  });
});
