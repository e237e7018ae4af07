import { expect, test } from 'vitest';
import { BusyPoll } from '../../../src/bridge/busy-poll.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An alertness whose rounds are counted: it asks whether all is calm on each. */
function counted(): { alertness: BusyPoll; clock: ManualClock; rounds(): number } {
  const clock = new ManualClock();
  let asked = 0;
  const alertness = new BusyPoll(clock, () => {
    asked++;
    return true;
  });
  return { alertness, clock, rounds: () => asked };
}

test('goes round after an answer to a lone session, and sleeps when the moment is over', async () => {
  const { alertness, clock, rounds } = counted();
  alertness.answered({});
  for (let i = 0; i < 5; i++) await turn();
  expect(rounds()).toBeGreaterThanOrEqual(4);
  clock.advance(1);
  await turn();
  const before = rounds();
  for (let i = 0; i < 5; i++) await turn();
  expect(rounds()).toBe(before);
});

test('does not poll while sessions make requests in turn', async () => {
  const { alertness, clock, rounds } = counted();
  const [one, other] = [{}, {}];
  alertness.answered(one);
  clock.advance(1);
  for (let i = 0; i < 3; i++) await turn();
  const before = rounds();
  for (let i = 0; i < 10; i++) {
    alertness.answered(i % 2 === 0 ? other : one);
    clock.advance(0.01);
    await turn();
  }
  expect(rounds()).toBe(before);
});

test('is tried less often while no request arrives during it, and immediately again after one did', async () => {
  const { alertness, clock, rounds } = counted();
  const session = {};
  /** Whether the loop went round after an answer. */
  const answer = async (): Promise<boolean> => {
    alertness.answered(session);
    const before = rounds();
    for (let i = 0; i < 3; i++) await turn();
    return rounds() > before;
  };
  const tried: number[] = [];
  for (let i = 0; i < 100; i++) {
    if (await answer()) tried.push(i);
    clock.advance(1);
    await turn();
  }
  expect(tried).toEqual([0, 2, 6, 14, 30, 62]);
  let isAwake = false;
  while (!isAwake) {
    clock.advance(1);
    await turn();
    isAwake = await answer();
  }
  clock.advance(0.05);
  alertness.answered(session);
  clock.advance(1);
  await turn();
  await turn();
  expect(await answer()).toBe(false); // the end of that moment caught nothing: one is passed
  clock.advance(1);
  expect(await answer()).toBe(true);
});
