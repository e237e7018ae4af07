import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkEvery, reasonToEndRead } from '../../../src/datasets/read-times.ts';

describe('a read that takes long', () => {
  const times = { maxMs: 6 * 3_600_000, contendedMs: 600_000, checkIntervalMs: 5 };
  const reason = (elapsedMs: number, isWanted: boolean) => reasonToEndRead(elapsedMs, times, async () => isWanted);

  it('ends where others wait for the worker, after the time for that', async () => {
    expect(await reason(600_000, true)).toBeUndefined();
    expect(await reason(600_001, false)).toBeUndefined();
    expect((await reason(600_001, true))?.detail).toBe('It was ended after 10 min: others wait for a worker.');
  });

  it('ends after the longest time, whoever waits', async () => {
    expect(await reason(times.maxMs, false)).toBeUndefined();
    expect((await reason(times.maxMs + 1, false))?.detail).toBe('It was ended after 360 min: no read takes longer.');
  });
});

describe('looking again and again', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is done once at a time, goes on after a failure, and ends when told', async () => {
    const looks: number[] = [];
    const ends: ((error?: Error) => void)[] = [];
    const stop = checkEvery(100, (elapsedMs) => {
      looks.push(elapsedMs);
      return new Promise((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve())));
    });
    await vi.advanceTimersByTimeAsync(250);
    expect(looks).toEqual([100]);
    ends[0]?.(new Error('it failed'));
    await vi.advanceTimersByTimeAsync(100);
    expect(looks).toEqual([100, 300]);
    ends[1]?.();
    stop();
    await vi.advanceTimersByTimeAsync(1000);
    expect(looks).toHaveLength(2);
  });
});
