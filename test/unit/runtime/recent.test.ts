import { expect, test } from 'vitest';
import { recent } from '../../../src/runtime/recent.ts';

test('asks once, however many want to know', async () => {
  let asked = 0;
  const ask = async (): Promise<boolean> => {
    asked++;
    return true;
  };
  const isReady = recent(ask, 60_000, false);
  expect(await Promise.all([isReady(), isReady(), isReady()])).toEqual([true, true, true]);
  expect(asked).toBe(1);
});

test('asks again after the time; a failure is no', async () => {
  let asked = 0;
  const ask = async (): Promise<boolean> => {
    if (++asked === 1) throw new Error('no connection');
    return true;
  };
  const isReady = recent(ask, -1, false);
  expect([await isReady(), await isReady()]).toEqual([false, true]);
});
