import { ReadTooLong } from '../errors/errors.ts';

/** How long a worker may be kept by the source of a study. */
export interface ReadTimes {
  /** No read takes longer. */
  longestMs: number;
  /** Nor than this while another role, of which nothing runs, waits for a worker. */
  contendedMs: number;
  /** How often it is looked whether one does. */
  lookMs: number;
}

/** The largest data file is read in some minutes, its images checked; code behind a source may sleep for as long as it likes. */
export const READ_TIMES: ReadTimes = { longestMs: 6 * 3600_000, contendedMs: 600_000, lookMs: 5_000 };

/** Why a read is to end that takes so long already, if it is. */
export async function reasonToEnd(
  elapsedMs: number,
  { longestMs, contendedMs }: ReadTimes,
  isWanted: () => Promise<boolean>,
): Promise<ReadTooLong | undefined> {
  if (elapsedMs > longestMs) return tooLong(longestMs, 'no read takes longer');
  if (elapsedMs > contendedMs && (await isWanted())) return tooLong(contendedMs, 'others wait for a worker');
  return undefined;
}

/** Looks again and again, at one time once, until it is told to stop; what fails is tried the next time. */
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
    hint: 'Copy what it gives into a table (create table … as select …) and train on that, or start more workers.',
  });
