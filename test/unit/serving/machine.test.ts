import { expect, it } from 'vitest';
import { Machine } from '../../../src/serving/machine/machine.ts';
import { policyByName } from '../../../src/serving/policies/registry.ts';
import { PATIENCE_MS } from '../../../src/serving/queue/limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { type SetUp, setUp, turn } from './manual-batcher.ts';

const SHORT: SetUp = { rowMs: [1], budgetMs: 100 };
/** A batch of 64 rows takes 640 ms. */
const LONG: SetUp = { rowMs: [10], budgetMs: 2000 };

/** Models on one machine. */
function share(slots: number, ...models: SetUp[]) {
  const clock = new ManualClock();
  const machine = new Machine({ slots, clock });
  return { clock, all: models.map((each) => setUp({ policy: policyByName('planner'), ...each, clock, machine })) };
}

type Model = ReturnType<typeof setUp>;

const rowsOf = ({ device }: Model): number[] => device.batches.map(({ inputs }) => inputs.length);

/** Ends the oldest batch of the model after the time that it takes. */
async function end({ device, clock, fleet }: Model): Promise<void> {
  const batch = device.batches.shift();
  clock.advance(fleet.subsetMs(1, batch?.inputs.length ?? 0));
  batch?.finish();
  await turn();
  await turn();
}

async function ask({ ask: one }: Model, rows: number, name = 'text'): Promise<void> {
  for (let i = 0; i < rows; i++) one(`${name} ${i}`);
  await turn();
}

it('a batch of one model is no longer than a request of another can wait', async () => {
  const { clock, all } = share(1, SHORT, LONG);
  const [short, long] = all as [Model, Model];
  await ask(short, 1);
  await end(short);
  clock.advance(1000); // the next request may come at any time
  await ask(long, 64);
  expect(rowsOf(long)).toEqual([9]); // 90 ms, and 1 ms of 100 for the next short request
});

it('a batch runs when a slot is free, of whichever model', async () => {
  const { all } = share(1, SHORT, SHORT);
  const [one, other] = all as [Model, Model];
  await ask(one, 1);
  await ask(other, 1);
  await ask(other, 2, 'more');
  expect([rowsOf(one), rowsOf(other)]).toEqual([[1], []]);
  await end(one);
  expect(rowsOf(other)).toEqual([3]);
});

it('a batch takes no slot while the only thread with its model is busy', async () => {
  const { clock, all } = share(2, SHORT, SHORT);
  const [one, other] = all as [Model, Model];
  one.device.isFree = false;
  await ask(one, 1);
  await ask(other, 1);
  await ask(other, 1, 'more');
  expect([rowsOf(one), rowsOf(other)]).toEqual([[], [1, 1]]);
  await end(other);
  await end(other);
  one.device.isFree = true;
  clock.advance(25); // of 100 ms
  await turn();
  expect(rowsOf(one)).toEqual([1]);
});

it('one slot stays free of batches for which no request of another model can wait', async () => {
  const { all } = share(2, SHORT, { ...LONG, rowMs: [150] });
  const [short, long] = all as [Model, Model];
  await ask(short, 1);
  await end(short);
  await ask(long, 1);
  await ask(long, 1, 'more');
  expect(rowsOf(long)).toEqual([1]);
  await ask(short, 1, 'again');
  expect(rowsOf(short)).toEqual([1]);
  await end(short);
  expect(rowsOf(long)).toEqual([1]);
  await end(long);
  expect(rowsOf(long)).toEqual([1]);
});

it('one slot stays free of long batches also if the other takes longer than expected', async () => {
  const { clock, all } = share(2, SHORT, { ...LONG, rowMs: [150] });
  const [short, long] = all as [Model, Model];
  await ask(short, 1);
  await end(short);
  await ask(long, 1);
  clock.advance(200);
  await ask(long, 1, 'more');
  expect(rowsOf(long)).toEqual([1]);
});

it('a model that had less of the machine may make requests of another late', async () => {
  const { all } = share(1, SHORT, { ...LONG, rowMs: [150] });
  const [short, long] = all as [Model, Model];
  for (let i = 0; i < 30; i++) {
    await ask(short, 10, `batch ${i}`);
    if (i === 0) await ask(long, 2);
    else if (rowsOf(long).length > 0) break;
    await end(short);
  }
  expect(rowsOf(long)).toEqual([1]);
});

it('late requests of one model make none of another late, until they have waited for a minute', async () => {
  const { clock, all } = share(1, SHORT, { ...LONG, budgetMs: 100, rowMs: [150] });
  const [short, long] = all as [Model, Model];
  await ask(short, 1);
  await ask(long, 1);
  const served = async (batches: number): Promise<boolean> => {
    for (let i = 0; i < batches && rowsOf(long).length === 0; i++) {
      await ask(short, 10, `${clock.nowMs()}`);
      await end(short);
      await ask(short, 1, `${clock.nowMs()} next`);
    }
    return rowsOf(long).length > 0;
  };
  expect(await served(100)).toBe(false);
  clock.advance(PATIENCE_MS);
  expect(await served(100)).toBe(true);
});

it('models that have no requests now hold up none, however many they are', async () => {
  const { clock, all } = share(1, LONG, ...new Array<SetUp>(300).fill(SHORT));
  const [long, ...short] = all as [Model, ...Model[]];
  for (const each of short) {
    await ask(each, 1);
    await end(each);
  }
  clock.advance(1000);
  await ask(long, 64);
  expect(rowsOf(long)).toEqual([9]); // as beside one
});

it('a model without a request for ten seconds takes nothing from others', async () => {
  const { clock, all } = share(1, LONG, SHORT);
  const [long, short] = all as [Model, Model];
  await ask(short, 1);
  await end(short);
  clock.advance(10_000);
  await ask(long, 64);
  expect(rowsOf(long)).toEqual([64]);
});

it('requests of a model that is being loaded hold up none', async () => {
  const { all } = share(1, SHORT, LONG);
  const [short, long] = all as [Model, Model];
  short.device.isReady = false;
  await ask(short, 10);
  await ask(long, 64);
  expect(rowsOf(long)).toEqual([64]);
});

it('a model decides again soon if it had to leave the slot to another, of which the requests have gone', async () => {
  const { clock, all } = share(1, { ...SHORT, policy: { create: () => patient } }, { ...LONG, rowMs: [150] });
  const [short, long] = all as [Model, Model];
  await ask(long, 1);
  await end(long);
  const asked = short.ask('short');
  await turn();
  await ask(long, 1, 'more');
  expect(rowsOf(long)).toEqual([]);
  asked.leave();
  clock.advance(500); // a quarter of its budget
  await turn();
  expect(rowsOf(long)).toEqual([1]);
});

const patient = {
  name: 'waits',
  decide: () => ({ kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: 10 }) as const,
};

it('the wait for a thread does not count as the time of a batch', async () => {
  const { device, fleet, clock, ask: one } = setUp({ rowMs: [10], budgetMs: 1000 });
  for (let i = 0; i < 50; i++) {
    one(`text ${i}`);
    await turn();
    clock.advance(500); // of which 490 before the thread was free
    device.batches[i]?.finish(undefined, 10);
    await turn();
  }
  expect(fleet.subsetMs(1, 1)).toBeCloseTo(10, 6);
});

it('far slower rows of one role leave a slot free, also shortly before the first of them ends', async () => {
  const { clock, all } = share(2, SHORT);
  const [model] = all as [Model];
  const { device } = model;
  const run = async (role: string, ms: number): Promise<void> => {
    model.ask(`${role} at ${clock.nowMs()}`, { role });
    await turn();
    clock.advance(ms);
    device.batches.shift()?.finish();
    await turn();
    await turn();
  };
  await run('modest', 1);
  await run('flooder', 60); // instead of 1 ms
  for (let i = 0; i < 3; i++) model.ask(`large ${i}`, { role: 'flooder' });
  await turn();
  expect(rowsOf(model)).toEqual([1]);
  clock.advance(55);
  model.ask('quick', { role: 'modest' });
  await turn();
  expect(device.batches.map(({ inputs }) => inputs)).toEqual([['large 0'], ['quick']]);
  device.batches.pop()?.finish();
  await turn();
  await turn();
  expect(device.batches.map(({ inputs }) => inputs)).toEqual([['large 0']]);
});
