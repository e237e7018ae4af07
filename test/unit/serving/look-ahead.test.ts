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
    const [batch] = ahead.choices().filter(({ subset, rows }) => subset === 7 && rows === 10);
    expect(batch).toMatchObject({ from: 0, rows: 10, startMs: 1000 });
    ahead.take(batch!);
    // 10 rows take 7.5, 5 and 2.5 ms
    expect([ahead.head, ahead.nextFreeMs]).toEqual([10, expect.closeTo(1002.5, 9)]);
    expect(ahead.committedCost(1002.5)).toBeCloseTo(5 + 25, 6);
    expect(ahead.committedCost(1005)).toBeCloseTo(2.5, 6);
    ahead.nowMs = 1004;
    ahead.take({ ...batch!, from: 10, rows: 2 });
    expect(ahead.committedCost(1004)).toBeCloseTo(3.5 + 6.3 + 10 * (1 + 4.2) + 100 * 2.1, 6);
    ahead.reset();
    expect([ahead.nowMs, ahead.head, ahead.committedCost(1000)]).toEqual([1000, 0, 0]);
  });

  it('values a batch by its rows, minus the cost of servers, and by the rows that it leaves', () => {
    const deadlineMs = (place: number): number => (place < 3 ? 1001 : 1050);
    const prices = { stations: [0.01, 0.02, 0.03], request: 0.1 };
    const ahead = look({ queued: 10, queue: { length: 10, deadlineMs }, freeMs: [[1002], [0], [0]] }, prices);
    const of = (subset: number) => ahead.choices().find((choice) => choice.subset === subset && choice.rows === 7);
    const alone = of(4);
    expect(alone).toMatchObject({ from: 3, rows: 7, startMs: 1000 });
    // accuracy .75 less a request's worth, for each; the third server for 2.35 ms; three are lost; .0001 for each row
    expect(alone?.score).toBeCloseTo(7 * (0.7501 - 0.1) - 0.03 * 2.35 - 3 * 0.1, 9);
    const all = of(7);
    expect(all?.startMs).toBe(1002);
    const busy = 0.01 * 7.05 + 0.02 * 4.7 + 0.03 * 2.35;
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

  /** Forty are due so soon that only the quickest member answers them: in one batch, which gains little. */
  const soon = (queued: number): LookAhead => {
    const deadlineMs = (place: number): number => (place < 40 ? 1004 : 1050);
    return look({ queued, queue: { length: queued, deadlineMs } }, { stations: [0, 0, 0], request: 0.75 });
  };

  it('values batches of any size: the largest in time, the largest that makes none late, and those cheap for a row', () => {
    const rowsOf = (ahead: LookAhead, subset: number): number[] =>
      ahead.choices().flatMap((choice) => (choice.subset === subset ? [choice.rows] : []));
    expect(rowsOf(soon(128), 4)).toEqual([64, 40]);
    expect(rowsOf(soon(50), 7)).toEqual([10]);
    const padded = { ...oneMember, latencyMs: (_: number, rows: number) => 2 + 0.05 * 16 * Math.ceil(rows / 16) };
    const ahead = new LookAhead(padded, stateOf(padded, { queued: 50 }), nothing);
    expect(rowsOf(ahead, 1)).toEqual([50, 16]);
    const two = { ...oneMember, stations: [{ members: 1, servers: 2 }] };
    expect(rowsOf(new LookAhead(two, stateOf(two, { queued: 51 }), nothing), 1)).toEqual([51, 26]);
  });

  it('considers only the largest batches if more wait than two of the largest', () => {
    const best = emptyChoice();
    soon(128).findBest(best);
    expect(best).toMatchObject({ subset: 4, rows: 40, from: 0 });
    soon(129).findBest(best);
    expect(best).toMatchObject({ rows: 64, from: 40 });
  });

  it('answers no late request', () => {
    expect(look({ queued: 5, leftMs: 1 }).choices()).toEqual([]);
    expect(look({ queued: 5, leftMs: 1 }).findBest(emptyChoice())).toBe(false);
  });
});
