import type { RoleShare } from './queued-question.ts';

/** Rows that take so many times as long as they should, and longer than a batch may, are not like those of the others. */
const APART = 4;
const MOST = 1e4;

export interface RunTime {
  ms: number;
  /** c(b): what it should have taken. */
  expectedMs: number;
  /** The longest that a batch is meant to run. */
  limitMs: number;
}

/**
 * Judges roles by a batch that has ended; whether its time says something of the model. An image of 50 million pixels takes a
 * second where the others take 10 ms: what such inputs of one role take must not make the model seem slow, or nobody could
 * be in time. Who shares a batch that took so long is suspected, and what batches of his own take decides, beside those of the
 * others: where all take long, it is the machine.
 */
export function judgeRun(
  ran: readonly RoleShare[],
  { ms, expectedMs, limitMs }: RunTime,
  known: Iterable<RoleShare>,
): boolean {
  if (expectedMs === 0) return true;
  const ratio = ms / expectedMs;
  const [one] = ran;
  if (ran.length === 1 && one !== undefined) {
    const usual = leastSlow(known, one);
    one.slowness = Math.min(MOST, Math.max(1, Math.sqrt(Math.max(1, one.slowness) * ratio)));
    one.isApart = (ms > limitMs && ratio > APART * usual) || (one.isApart && one.slowness > APART * usual);
  } else if (ms > limitMs && ratio > APART) for (const share of ran) share.isApart = true;
  return !ran.some(({ isApart }) => isApart);
}

/** What the quickest of the other roles' batches take, as a multiple of c(b). */
function leastSlow(known: Iterable<RoleShare>, one: RoleShare): number {
  let least = Number.POSITIVE_INFINITY;
  for (const share of known) if (share !== one && share.slowness > 0) least = Math.min(least, share.slowness);
  return Number.isFinite(least) ? least : 1;
}
