import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Machine } from '../../../src/serving/machine/machine.ts';
import { policies, policyByName } from '../../../src/serving/policies/registry.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { type SetUp, setUp } from './manual-batcher.ts';

/** One row may take longer than its own budget, and than that of the other model. */
const anyModel = fc.record({
  policy: fc.constantFrom(...policies.map(({ name }) => name)),
  rowMs: fc.tuple(fc.double({ min: 0.1, max: 120, noNaN: true })).map((ms) => [...ms]),
  fixedMs: fc.constantFrom(0, 30),
  budgetMs: fc.constantFrom(50, 200),
});
const anyRequests = fc.array(
  fc.record({
    model: fc.constantFrom(0, 1),
    afterMs: fc.integer({ min: 0, max: 80 }),
    budgetMs: fc.constantFrom(1, 50, 200, 5000),
    isFirm: fc.boolean(),
    role: fc.constantFrom('a', 'b'),
  }),
  { minLength: 1, maxLength: 10 },
);

/** While no batch runs, time advances in such steps: timers may be late by as much. */
const STEP_MS = 10;
/** More than the longest budget has, and so many batches. */
const MANY_STEPS = 2000;

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Asks all, lets batches end and timers come; how many requests are open when nothing more would ever happen. */
async function leftWaiting(
  models: readonly (Omit<SetUp, 'policy'> & { policy: string })[],
  requests: readonly { model: number; afterMs: number; budgetMs: number; isFirm: boolean; role: string }[],
  { slots, pace }: { slots: number; pace: number },
): Promise<number> {
  const clock = new ManualClock();
  const machine = new Machine({ slots, clock });
  const all = models.map((each) => setUp({ ...each, policy: policyByName(each.policy), clock, machine }));
  let open = 0;
  const closed = (): void => {
    open--;
  };
  for (const [i, { model, afterMs, ...options }] of requests.entries()) {
    clock.advance(afterMs);
    await settle();
    try {
      open++;
      void all[model]!.ask(`text ${i}`, options).outcome.then(closed, closed);
    } catch {
      closed(); // refused immediately
    }
    await settle();
  }
  for (let steps = 0; open > 0 && steps < MANY_STEPS; steps++) {
    const running = all.find(({ device }) => device.batches.length > 0);
    const batch = running?.device.batches.shift();
    if (running === undefined || batch === undefined) {
      if (clock.nextMs === Number.POSITIVE_INFINITY) break;
      clock.advance(STEP_MS);
    } else {
      clock.advance(pace * running.fleet.subsetMs(batch.subset, batch.inputs.length));
      batch.finish();
    }
    await settle();
  }
  return open;
}

it('no request of two models waits while no batch runs and no timer is set, with any batch times', async () => {
  const anyMachine = fc.record({
    slots: fc.constantFrom(1, 2),
    pace: fc.double({ min: 0.5, max: 2.5, noNaN: true }),
  });
  const models = fc.tuple(anyModel, anyModel);
  const property = fc.asyncProperty(models, anyRequests, anyMachine, async (both, requests, machine) => {
    expect(await leftWaiting(both, requests, machine)).toBe(0);
  });
  await fc.assert(property, { numRuns: 100 });
});
