import { expect, test } from 'vitest';
import { UndefinedObject } from '../../../src/errors/errors.ts';
import { FairGate } from '../../../src/http/fair-gate.ts';
import { UsableModels } from '../../../src/http/predict/usable-models.ts';
import { SignedIn } from '../../../src/http/sign-in/signed-in.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const statements = new FairGate({ what: 'requests', places: 1, placesOfRole: 1, waitingOfRole: 1 });

/** A role whose models are read as `state` says. */
function start() {
  const clock = new ManualClock();
  const models = new UsableModels(clock);
  const state = { reads: 0, key: 'first', failure: undefined as Error | undefined };
  const call = async (_: string, __: object, { signal }: { signal?: AbortSignal | undefined } = {}) => {
    state.reads++;
    await new Promise(setImmediate);
    signal?.throwIfAborted();
    if (state.failure !== undefined) throw state.failure;
    return [{ name: 'films', key: state.key }];
  };
  const role = new SignedIn({
    ...{ role: 'ann', servedAs: 'ann', statements, api: 'public' },
    sessions: { call, stop: async () => undefined },
  });
  return { clock, models, state, role };
}

test('requests that come together wait for one read, whichever of them disconnects', async () => {
  const { models, state, role } = start();
  const client = new AbortController();
  const found = [role.during(client.signal), role, role].map(async (each) => models.of(each, 'films'));
  client.abort();
  expect((await Promise.all(found)).map(({ key }) => key)).toEqual(['first', 'first', 'first']);
  expect(state.reads).toBe(1);
});

test('a key is read again in the background, and after twice its time before the answer', async () => {
  const { clock, models, state, role } = start();
  const first = await models.of(role, 'films');
  clock.advance(10_000);
  state.key = 'second';
  expect(models.of(role, 'films')).toBe(first);
  await expect.poll(() => models.of(role, 'films')).toMatchObject({ key: 'second' });
  expect(state.reads).toBe(2);
  clock.advance(20_000);
  expect(models.of(role, 'films')).toBeInstanceOf(Promise);
});

test('a right that has ended is told to the next request', async () => {
  const { clock, models, state, role } = start();
  await models.of(role, 'films');
  clock.advance(10_000);
  state.failure = new UndefinedObject('no more');
  expect(models.of(role, 'films')).toMatchObject({ key: 'first' }); // read again in the background
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  await expect(models.of(role, 'films')).rejects.toThrow('no more');
});

test('what a request has changed is read by the next one', async () => {
  const { models, state, role } = start();
  await models.of(role, 'films');
  state.key = 'second';
  models.forgetNow();
  expect(await models.of(role, 'films')).toMatchObject({ key: 'second' });
});
