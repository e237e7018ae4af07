import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { policies } from '../../../src/serving/policies/registry.ts';
import { type SetUp, setUp } from './manual-batcher.ts';

/** A member and its variant, or two members; each may take longer for one row than the budget of 50 ms. */
const anyMembers = fc.record({
  rowMs: fc.array(fc.double({ min: 1, max: 120, noNaN: true }), { minLength: 2, maxLength: 2 }),
  variants: fc.integer({ min: 0, max: 1 }),
  accuracy: fc
    .array(fc.constantFrom(0.7, 0.8, 0.9), { minLength: 3, maxLength: 3 })
    .map((accuracies) => [0, ...accuracies]),
});
const anyQuestions = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 80 }),
    budgetMs: fc.constantFrom(1, 50, 60, 200, 5000),
    isFirm: fc.boolean(),
    role: fc.constantFrom('a', 'b'),
  }),
  { minLength: 1, maxLength: 6 },
);
/** How batches go against what was expected. */
const anyPace = fc.double({ min: 0.5, max: 2.5, noNaN: true });

/** While no batch runs, time advances in such steps: timers may be late by as much. */
const STEP_MS = 10;
/** More than the longest budget has, and so many batches. */
const MANY_STEPS = 1000;

/** Asks all, lets batches end and timers come; how many requests are open when nothing more would ever happen. */
async function leftWaiting(
  members: SetUp,
  requests: readonly { afterMs: number; budgetMs: number; isFirm: boolean; role: string }[],
  pace: number,
): Promise<number> {
  const { device, clock, fleet, ask } = setUp(members);
  let open = 0;
  let ended = 0;
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await settle();
  };
  const closed = (): void => {
    open--;
  };
  const step = async (): Promise<boolean> => {
    const batch = device.batches[ended];
    if (batch === undefined) {
      if (clock.nextMs === Number.POSITIVE_INFINITY) return false;
      await pass(STEP_MS);
      return true;
    }
    ended++;
    await pass(pace * fleet.subsetMs(batch.subset, batch.inputs.length));
    batch.finish();
    await settle();
    return true;
  };
  for (const [i, { afterMs, ...options }] of requests.entries()) {
    await pass(afterMs);
    try {
      open++;
      void ask(`text ${i}`, options).outcome.then(closed, closed);
    } catch {
      closed(); // refused immediately
    }
    await settle();
  }
  for (let steps = 0; open > 0 && steps < MANY_STEPS; steps++) if (!(await step())) break;
  return open;
}

describe.each(policies)('with the policy $name', (policy) => {
  it('a request that cannot be in time is answered by a device that is idle, without another event', async () => {
    const one = { afterMs: 0, budgetMs: 50, isFirm: false, role: 'a' };
    // the variant is as accurate, and slower: it alone is asked, and takes longer than the budget
    const members = { policy, rowMs: [40, 56.7], variants: 1, accuracy: [0, 0.9, 0.9, 0.9] };
    expect(await leftWaiting(members, [one], 1)).toBe(0);
  });

  it('no request waits while no batch runs and no timer is set, with any batch times', async () => {
    const property = fc.asyncProperty(anyMembers, anyQuestions, anyPace, async (members, requests, pace) => {
      expect(await leftWaiting({ policy, ...members }, requests, pace)).toBe(0);
    });
    await fc.assert(property, { numRuns: 60 });
  });
});
