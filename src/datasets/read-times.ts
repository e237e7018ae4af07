import { ReadTooLong } from '../errors/errors.ts';

/** Time limits for reading the source of a study. */
export interface ReadTimes {
  /** Limit of every read. */
  maxMs: number;
  /** The limit while another role, without running trials, waits for a worker. */
  contendedMs: number;
  /** Interval of checking for such a role. */
  checkIntervalMs: number;
}

/** The largest data file takes some minutes, with all images checked, but code behind a source may sleep. */
export const READ_TIMES: ReadTimes = { maxMs: 6 * 3600_000, contendedMs: 600_000, checkIntervalMs: 5_000 };

/** The reason for ending a read that takes too long; undefined if it may continue. */
export async function reasonToEndRead(
  elapsedMs: number,
  { maxMs, contendedMs }: ReadTimes,
  isWanted: () => Promise<boolean>,
): Promise<ReadTooLong | undefined> {
  if (elapsedMs > maxMs) return tooLong(maxMs, 'no read takes longer');
  if (elapsedMs > contendedMs && (await isWanted())) return tooLong(contendedMs, 'others wait for a worker');
  return undefined;
}

/** Checks periodically, one check at a time, until stopped; a failed check is repeated at the next interval. */
export function checkEvery(ms: number, check: (elapsedMs: number) => Promise<void>): () => void {
  const beganMs = performance.now();
  let isChecking = false;
  const timer = setInterval(() => {
    if (isChecking) return;
    isChecking = true;
    check(performance.now() - beganMs)
      .catch(() => undefined)
      .finally(() => {
        isChecking = false;
      });
  }, ms);
  return () => clearInterval(timer);
}

const tooLong = (ms: number, why: string): ReadTooLong =>
  new ReadTooLong('reading the source of the study takes too long', {
    detail: `It was ended after ${Math.round(ms / 60_000)} min: ${why}.`,
    hint: 'Copy its rows into a table (create table … as select …) and train on that, or start more workers.',
  });
