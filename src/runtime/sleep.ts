import { setTimeout as pause } from 'node:timers/promises';

/** Sleeps for `ms`, or until aborted. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await pause(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}
