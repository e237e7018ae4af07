import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LimitReached } from '../../../src/errors/errors.ts';
import { policyByName } from '../../../src/serving/policies/registry.ts';
import { MAX_QUEUED, PATIENCE_MS } from '../../../src/serving/queue/limits.ts';
import { CREDIT_ROWS } from '../../../src/serving/queue/role-queue.ts';
import { type ManualDevice, setUp, turn } from './manual-batcher.ts';

const HOUR = 3_600_000;
/** An eighth of the budget of 50 ms, at 0.1 ms a row. */
const RUN_ROWS = 62;

/** The roles have asked before, so that each has its turns. */
async function stage({ roles = ['a', 'b'], ...options }: Parameters<typeof setUp>[0] & { roles?: string[] } = {}) {
  const staged = setUp(options);
  const { device, ask } = staged;
  for (const role of roles) {
    ask(`first of ${role}`, { role });
    await turn();
    device.batches.at(-1)?.finish();
    await turn();
  }
  device.batches.length = 0;
  return staged;
}

type Staged = Awaited<ReturnType<typeof stage>>;

/** Ends the batch that runs, as long after its beginning as its rows take; gives its texts. */
async function endBatch(
  { device, clock }: Pick<Staged, 'device' | 'clock'>,
  msOf = rowsMs,
): Promise<readonly string[]> {
  const batch = device.batches.shift();
  clock.advance(msOf(batch?.inputs ?? []));
  batch?.finish();
  await turn();
  await turn();
  return batch?.inputs ?? [];
}

const rowsMs = (inputs: readonly string[]): number => 0.1 * inputs.length;
const ofRole = (inputs: readonly string[], role: string): number =>
  inputs.filter((input) => input.startsWith(role)).length;
const inputs = ({ batches }: ManualDevice): (readonly string[])[] => batches.map((batch) => batch.inputs);

it('with several roles, computes speculative rows once no request waits', async () => {
  const { device, batcher } = await stage();
  batcher.warm('a ahead', 'a');
  await turn();
  expect(inputs(device)).toEqual([['a ahead']]);
});

describe.each(['eager', 'planner'])('with the policy %s', (name) => {
  const policy = policyByName(name);

  it("one role's 10,000 rows delay another's single request by one short batch", async () => {
    const staged = await stage({ policy });
    for (let i = 0; i < 10_000; i++) staged.ask(`a ${i}`, { role: 'a', budgetMs: HOUR });
    await turn();
    staged.ask('b', { role: 'b' });
    await turn();
    expect(ofRole(await endBatch(staged), 'a')).toBeLessThanOrEqual(RUN_ROWS);
    expect(inputs(staged.device)[0]).toContain('b');
  });

  it("one session's 10,000 rows delay a single request of another one, of the same role, by one short batch", async () => {
    const staged = await stage({ policy, roles: ['a'] });
    staged.ask('other', { session: {} });
    await endBatch(staged);
    for (let i = 0; i < 10_000; i++) staged.ask(`a ${i}`, { budgetMs: HOUR });
    await turn();
    staged.ask('b', { session: {} });
    await turn();
    expect(ofRole(await endBatch(staged), 'a')).toBeLessThanOrEqual(RUN_ROWS);
    expect(inputs(staged.device)[0]).toContain('b');
  });

  it('with several roles, no batch takes longer than an eighth of the budget', async () => {
    const { device, ask } = await stage({ policy });
    for (let i = 0; i < 1000; i++) ask(`a ${i}`, { role: 'a', budgetMs: HOUR });
    await turn();
    expect(inputs(device)[0]?.length).toBeLessThanOrEqual(RUN_ROWS);
  });

  it('two roles that both ask too much have half each, two sessions of one a quarter each', async () => {
    const staged = await stage({ policy });
    const sessions = { one: {}, two: {} };
    for (let i = 0; i < 4000; i++) staged.ask(`a one ${i}`, { role: 'a', session: sessions.one, budgetMs: HOUR });
    for (let i = 0; i < 2000; i++) staged.ask(`a two ${i}`, { role: 'a', session: sessions.two, budgetMs: HOUR });
    for (let i = 0; i < 2000; i++) staged.ask(`b ${i}`, { role: 'b', budgetMs: HOUR });
    await turn();
    const served: string[] = [];
    while (served.length < 2000) served.push(...(await endBatch(staged)));
    const counts = ['b', 'a one', 'a two'].map((role) => ofRole(served, role) / served.length);
    expect(counts[0]).toBeCloseTo(0.5, 1);
    expect(counts[1]).toBeCloseTo(0.25, 1);
    expect(counts[2]).toBeCloseTo(0.25, 1);
  });
});

describe('a queue that several roles share', () => {
  const budgets = [400, 300, 450, 200, 500, 350];

  it.each([
    ['a session that is alone', () => budgets],
    ['sessions of one role that ask for single rows', () => ({})],
  ])('keeps the order of deadlines for %s', async (_, session) => {
    const { device, clock, ask } = setUp();
    ask('running', { session: session() });
    await turn();
    for (const budgetMs of budgets) {
      for (let row = 0; row < 50; row++) ask(`${budgetMs} ${row}`, { session: session(), budgetMs });
    }
    await endBatch({ device, clock });
    const order = budgets.toSorted().flatMap((ms) => Array.from({ length: 50 }, (_, row) => `${ms} ${row}`));
    expect(inputs(device)[0]).toEqual(order.slice(0, 256));
  });

  it('answers late rows in turn, too', async () => {
    const staged = await stage();
    const { clock, ask } = staged;
    ask('a running', { role: 'a' });
    await turn();
    for (let i = 0; i < 2000; i++) ask(`a ${i}`, { role: 'a', budgetMs: 1 });
    for (let i = 0; i < 20; i++) ask(`b ${i}`, { role: 'b', budgetMs: 1 });
    clock.advance(10);
    const served: string[] = [];
    for (let batch = 0; batch < 3; batch++) served.push(...(await endBatch(staged)));
    expect(ofRole(served, 'b')).toBe(20);
  });

  it('answers late rows of one role that have waited for a minute within an eighth of another’s, in batches of any size', async () => {
    const { device, clock, ask } = await stage({ policy: { create: () => single } });
    ask('a running', { role: 'a' });
    await turn();
    ask('b late', { role: 'b', budgetMs: 1 });
    for (let i = 0; i < 100; i++) ask(`a ${i}`, { role: 'a', budgetMs: HOUR });
    const servedMs = new Map<string, number>();
    for (let batch = 0; batch < 50; batch++) {
      const { inputs: texts = [], finish } = device.batches.shift() ?? {};
      for (const text of texts) servedMs.set(text, clock.nowMs());
      clock.advance(2000);
      finish?.(undefined, 0.1); // most of that time it waited for a thread
      await turn();
      await turn();
    }
    expect(servedMs.get('b late')).toBeGreaterThan(PATIENCE_MS);
    expect(servedMs.get('b late')).toBeLessThan(PATIENCE_MS + 10 * 2000);
  });

  it('gives the place of a full queue to a role that has less, though all of it is late', async () => {
    const { clock, ask } = await stage();
    ask('a running', { role: 'a' });
    await turn();
    const asked = Array.from({ length: MAX_QUEUED }, (_, i) =>
      ask(`a ${i}`, { role: 'a', session: { i }, budgetMs: i % 2 === 0 ? 1 : HOUR }),
    );
    const refusals = asked.map(({ outcome }) => outcome.then(() => undefined).catch((error: unknown) => error));
    clock.advance(10);
    expect(() => ask('b', { role: 'b', session: {} })).not.toThrow();
    expect(() => ask('a again', { role: 'a', session: {} })).toThrowError(LimitReached);
    expect((await Promise.race(refusals)) as Error).toBeInstanceOf(LimitReached);
  });

  it('of roles that had as much, first answers the one with fewer rows', async () => {
    const staged = await stage({ rowMs: [20] });
    staged.ask('a running', { role: 'a' }); // as b before
    await turn();
    for (let i = 0; i < 3; i++) staged.ask(`a ${i}`, { role: 'a', budgetMs: HOUR });
    staged.ask('b', { role: 'b' });
    await endBatch(staged);
    expect(inputs(staged.device)).toEqual([['b']]);
  });

  it('does not refuse a firm request for the rows of another session of its role before it', async () => {
    const { ask } = await stage({ roles: ['a'] });
    ask('b running', { session: {} });
    await turn();
    for (let i = 0; i < 10_000; i++) ask(`a ${i}`, { budgetMs: 45 });
    expect(() => ask('b', { session: {}, isFirm: true })).not.toThrow();
  });

  it('gives a role that pauses a few rows before those of one that never does', async () => {
    const staged = await stage({ rowMs: [20] });
    for (let i = 0; i < 20; i++) staged.ask(`a ${i}`, { role: 'a', budgetMs: HOUR });
    for (let batch = 0; batch < 10; batch++) await endBatch(staged);
    for (let i = 0; i < CREDIT_ROWS; i++) staged.ask(`b ${i}`, { role: 'b', budgetMs: HOUR });
    await endBatch(staged); // of a, which was running
    for (let i = 0; i < CREDIT_ROWS; i++) expect(await endBatch(staged)).toEqual([`b ${i}`]);
  });

  it('orders the rows of roles that pause by their deadlines', async () => {
    const staged = await stage({ rowMs: [20], roles: ['b', 'c', 'a'] });
    for (let i = 0; i < 20; i++) staged.ask(`a ${i}`, { role: 'a', budgetMs: HOUR });
    for (let batch = 0; batch < 10; batch++) await endBatch(staged);
    staged.ask('b 1', { role: 'b', budgetMs: 1000 });
    staged.ask('b 2', { role: 'b', budgetMs: 2000 });
    staged.ask('c', { role: 'c', budgetMs: 3000 });
    await endBatch(staged);
    for (const next of ['b 1', 'b 2', 'c']) expect(await endBatch(staged)).toEqual([next]);
  });

  it('does not refuse a firm request for another role’s rows before it', async () => {
    const { ask } = await stage();
    ask('b running', { role: 'b' });
    await turn();
    for (let i = 0; i < 10_000; i++) ask(`a ${i}`, { role: 'a', budgetMs: 45 });
    expect(() => ask('b', { role: 'b', isFirm: true })).not.toThrow();
  });

  it("answers a request with the next batch that is far back in another role's queue", async () => {
    const staged = await stage();
    const { device, ask } = staged;
    for (let i = 0; i < 5000; i++) ask(`a ${i}`, { role: 'a', budgetMs: HOUR });
    await turn();
    ask('a 4999', { role: 'b' });
    await endBatch(staged);
    expect(inputs(device)[0]).toContain('a 4999');
  });

  it("puts much slower inputs into separate batches, which do not change the model's times", async () => {
    const staged = await stage();
    const { device, fleet, ask } = staged;
    const slowMs = (batch: readonly string[]): number => 1000 * ofRole(batch, 'a') + rowsMs(batch);
    for (let i = 0; i < 1000; i++) ask(`a ${i}`, { role: 'a', budgetMs: HOUR });
    await turn();
    await endBatch(staged, slowMs);
    for (let i = 0; i < 20; i++) {
      ask(`b ${i}`, { role: 'b' });
      await turn();
      for (const batch of inputs(device)) expect(batch.length === 1 || ofRole(batch, 'a') === 0).toBe(true);
      device.batches.sort((one, other) => slowMs(one.inputs) - slowMs(other.inputs)); // the quick one ends first
      await endBatch(staged, slowMs);
      await endBatch(staged, slowMs);
    }
    expect(fleet.subsetMs(fleet.best, 1)).toBeLessThan(1);
  });
});

const single = {
  name: 'one row at a time',
  decide: () => ({ kind: 'dispatch', subset: 1, from: 0, rows: 1 }) as const,
};

/** One batch has the slot; a row is given before it is paid for, and those after a pause. */
const MAX_AHEAD = RUN_ROWS + 1 + CREDIT_ROWS;

/** Rows that each of two roles asks before a batch ends. */
const arrivals = fc.array(fc.tuple(fc.nat(300), fc.nat(300)), { minLength: 1, maxLength: 25 });

it('of two roles whose rows wait all the time, neither gets a batch and a row more than the other', async () => {
  await fc.assert(
    fc.asyncProperty(arrivals, async (rounds) => {
      const staged = await stage();
      const served = { a: 0, b: 0 };
      const asked = { a: 0, b: 0 };
      let since = { ...served };
      const waits = (role: 'a' | 'b'): boolean => asked[role] > served[role] + running(role);
      const running = (role: 'a' | 'b'): number =>
        inputs(staged.device).reduce((n, batch) => n + ofRole(batch, role), 0);
      for (const [a, b] of rounds) {
        for (let i = 0; i < a; i++) staged.ask(`a ${asked.a++}`, { role: 'a', budgetMs: HOUR });
        for (let i = 0; i < b; i++) staged.ask(`b ${asked.b++}`, { role: 'b', budgetMs: HOUR });
        await turn();
        const batch = await endBatch(staged);
        served.a += ofRole(batch, 'a');
        served.b += ofRole(batch, 'b');
        if (!waits('a') || !waits('b')) since = { a: served.a + running('a'), b: served.b + running('b') };
        const ahead = served.a + running('a') - since.a - (served.b + running('b') - since.b);
        expect(Math.abs(ahead)).toBeLessThanOrEqual(MAX_AHEAD);
      }
      while (staged.device.batches.length > 0) await endBatch(staged);
    }),
    { numRuns: 40 },
  );
});
