import { expect, test } from 'vitest';
import { Wake } from '../../../src/runtime/wake.ts';

const MIN_MS = 50;

test('with any number of signals, a wait ends no sooner than the minimum interval after the previous one', async () => {
  const wake = new Wake(MIN_MS);
  const pokes = setInterval(() => wake.notify(), 1);
  const woken: number[] = [];
  while (woken.length < 5) {
    await wake.wait(10_000);
    woken.push(performance.now());
  }
  clearInterval(pokes);
  for (const [i, at] of woken.slice(1).entries()) expect(at - (woken[i] as number)).toBeGreaterThan(MIN_MS - 2);
});

test('a signal within the minimum interval ends the same wait; a later one the next', async () => {
  const wake = new Wake(MIN_MS);
  wake.notify();
  await wake.wait(10_000);
  wake.notify();
  setTimeout(() => wake.notify(), MIN_MS / 2);
  await wake.wait(10_000);
  wake.notify();
  await wake.wait(10_000);
  const stopping = new AbortController();
  const asleep = wake.wait(10_000, stopping.signal).then(() => stopping.signal.aborted);
  setTimeout(() => stopping.abort(), 4 * MIN_MS);
  expect(await asleep).toBe(true);
});
