import { expect, test } from 'vitest';
import { AuthenticationFailed } from '../../../src/errors/errors.ts';
import { FairGate } from '../../../src/http/fair-gate.ts';
import { KeptSignIns } from '../../../src/http/sign-in/kept-sign-ins.ts';
import { SignedIn } from '../../../src/http/sign-in/signed-in.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const statements = new FairGate({ what: 'requests', places: 1, placesOfRole: 1, waitingOfRole: 1 });

const signedInAs = (role: string): SignedIn =>
  new SignedIn({
    ...{ role, servedAs: role, statements, api: 'public' },
    sessions: { call: async () => [], stop: async () => undefined },
  });

function start() {
  const clock = new ManualClock();
  const kept = new KeptSignIns({ clock, max: 2, refreshMs: 1_000, expireMs: 5_000 });
  const state = { checks: 0, failure: undefined as Error | undefined };
  const ann = signedInAs('ann');
  kept.add('ann', ann, async () => {
    state.checks++;
    if (state.failure !== undefined) throw state.failure;
  });
  return { clock, kept, state, ann };
}

test('a sign-in is checked again in the background, and after its time before the request', async () => {
  const { clock, kept, state, ann } = start();
  clock.advance(999);
  expect([kept.of('ann'), state.checks]).toEqual([ann, 0]);
  clock.advance(1);
  expect([kept.of('ann'), kept.of('ann'), state.checks]).toEqual([ann, ann, 1]); // one check for both
  await new Promise(setImmediate); // its answer is noted
  clock.advance(5_000);
  const later = kept.of('ann');
  expect(later).toBeInstanceOf(Promise);
  expect(await later).toBe(ann);
  expect([kept.of('ann'), state.checks]).toEqual([ann, 2]);
});

test('one that is refused is no longer kept', async () => {
  const { clock, kept, state, ann } = start();
  state.failure = new AuthenticationFailed('no');
  clock.advance(1_000);
  expect(kept.of('ann')).toBe(ann);
  await expect.poll(() => kept.of('ann')).toBeUndefined();
});

test('another error is for the request that comes after its time, and the sign-in stays', async () => {
  const { clock, kept, state, ann } = start();
  state.failure = new Error('away');
  clock.advance(1_000);
  expect(kept.of('ann')).toBe(ann);
  clock.advance(4_000);
  await expect(kept.of('ann')).rejects.toThrow('away');
  state.failure = undefined;
  expect(await kept.of('ann')).toBe(ann);
});

test('the least recently used one makes room', () => {
  const { kept, ann } = start();
  kept.add('bob', signedInAs('bob'), async () => undefined);
  expect(kept.of('ann')).toBe(ann);
  kept.add('carl', signedInAs('carl'), async () => undefined);
  expect(kept.of('ann')).toBe(ann);
  expect(kept.of('bob')).toBeUndefined();
});
