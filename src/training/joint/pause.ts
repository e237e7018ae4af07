import { setImmediate } from 'node:timers/promises';
import { sleep } from '../../runtime/sleep.ts';

/** Waits until the files of others are to be read again; they have been waited for since `waitedMs`. */
export type Pause = (waitedMs: number) => Promise<void>;

/** Reading takes some microseconds, and what is waited for takes seconds. */
const LONG_MS = 5;

export const pauseBetweenRounds: Pause = () => sleep(LONG_MS);

/** What a forest waits for takes some milliseconds, and a timer at least one: for so long it waits without one, each time a tenth longer. */
const BRIEF_MS = 10;
const BRIEF_SHARE = 0.1;
const SHORTEST_MS = 0.1;
/** After that, each millisecond, for so long. */
const SOON_MS = 1_000;
const SOON_PAUSE_MS = 1;

const nobody = new Int32Array(new SharedArrayBuffer(4));

/** For exchanges of sums, of which a tree has dozens. */
export async function pauseBetweenSums(waitedMs: number): Promise<void> {
  if (waitedMs >= BRIEF_MS) return sleep(waitedMs < SOON_MS ? SOON_PAUSE_MS : LONG_MS);
  Atomics.wait(nobody, 0, 0, Math.max(SHORTEST_MS, BRIEF_SHARE * waitedMs)); // leaves the core to others, as a loop would not
  await setImmediate(); // messages of the worker are read
}
