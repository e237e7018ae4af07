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
 * be in time. Who shares a batch that took so long is suspected, and what batches of his own take decides.
 */
export function judgeRun(
  ran: readonly RoleShare[],
  { ms, expectedMs, limitMs }: RunTime,
  known: Iterable<RoleShare>,
): boolean {
  if (expectedMs === 0) return true;
  const ratio = ms / expectedMs;
  const isLong = ms > limitMs && ratio > APART;
  const [one] = ran;
  if (ran.length === 1 && one !== undefined) {
    one.slowness = Math.min(MOST, Math.max(1, Math.sqrt(one.slowness * ratio)));
    one.isApart = isLong || (one.isApart && one.slowness > APART);
  } else if (isLong) for (const share of ran) share.isApart = true;
  if (!ran.some(({ isApart }) => isApart)) return true;
  // where all are slow, it is the machine
  for (const share of known) if (!share.isApart) return false;
  return true;
}
