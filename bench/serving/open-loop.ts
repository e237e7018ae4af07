import { setTimeout as sleep } from 'node:timers/promises';
import type { Arrivals } from './arrivals.ts';

/** Result of one call. */
export interface ModelCall<T> {
  arrivedMs: number;
  /** From its arrival, whether or not a session was free. */
  ms: number;
  result: T;
}

/** Makes each call when it is due, by performance.now(), independent of earlier ones: arrivals never wait for answers. */
export async function openLoop<T>(arrivals: Arrivals, call: (dueMs: number) => Promise<T>): Promise<ModelCall<T>[]> {
  const startedMs = performance.now();
  const calls: Promise<ModelCall<T>>[] = [];
  for (const arrivedMs of arrivals) {
    const earlyMs = startedMs + arrivedMs - performance.now();
    if (earlyMs > 0) await sleep(earlyMs);
    calls.push(
      call(startedMs + arrivedMs).then((result) => ({
        arrivedMs,
        ms: performance.now() - startedMs - arrivedMs,
        result,
      })),
    );
  }
  return Promise.all(calls);
}
