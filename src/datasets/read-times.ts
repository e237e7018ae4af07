import { ReadTooLong } from '../errors/errors.ts';

/** Time limits for reading the source of a study. */
export interface ReadTimes {
  /** No read takes longer. */
  longestMs: number;
  /** The limit while another role, without running trials, waits for a worker. */
  contendedMs: number;
  /** Interval of checking for such a role. */
  lookMs: number;
}

/** The largest data file is read in some minutes, its images checked; code behind a source may sleep for as long as it likes. */
export const READ_TIMES: ReadTimes = { longestMs: 6 * 3600_000, contendedMs: 600_000, lookMs: 5_000 };

/** The reason for ending a read that takes too long; undefined if it may continue. */
export async function reasonToEnd(
  elapsedMs: number,
  { longestMs, contendedMs }: ReadTimes,
  isWanted: () => Promise<boolean>,
): Promise<ReadTooLong | undefined> {
  if (elapsedMs > longestMs) return tooLong(longestMs, 'no read takes longer');
  if (elapsedMs > contendedMs && (await isWanted())) return tooLong(contendedMs, 'others wait for a worker');
  return undefined;
}

/** Checks periodically, one check at a time, until stopped; a failed check is repeated at the next interval. */
export function lookEvery(ms: number, look: (elapsedMs: number) => Promise<void>): () => void {
  const beganMs = performance.now();
  let isLooking = false;
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    look(performance.now() - beganMs)
      .catch(() => undefined)
      .finally(() => {
        isLooking = false;
      });
  }, ms);
  return () => clearInterval(timer);
}

const tooLong = (ms: number, why: string): ReadTooLong =>
  new ReadTooLong('reading the source of the study takes too long', {
    detail: `It was ended after ${Math.round(ms / 60_000)} min: ${why}.`,
    hint: 'Copy its rows into a table (create table … as select …) and train on that, or start more workers.',
  });
