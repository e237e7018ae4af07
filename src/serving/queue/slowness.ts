import type { RoleShare } from './queued-request.ts';

/** Rows that take so many times as long as others' when these are quick are not like them: a busy machine makes rows 3 to 5 times slower. */
const APART = 8;
/** What a role's quickest batches take is followed upwards slowly: one that another's slow rows hold up says little. */
const RISE = 1.02;
/** Estimates stay within these. */
const LEAST = 1 / 16;
const MOST = 1e4;

export interface RunTime {
  ms: number;
  /** c(b): what it should have taken. */
  expectedMs: number;
  /** What is shorter holds up nobody. */
  shortMs: number;
}

/**
 * Judges roles by a batch that has ended; whether its time says something of the model. An image of 50 million pixels takes a
 * second where the others take 10 ms: what such inputs of one role take must not make the model seem slow, or nobody could
 * be in time. Who shares a batch that took so long is suspected, and what batches of his own take decides, beside those of the
 * others: where all take long, it is the machine.
 */
export function judgeRun(
  ran: readonly RoleShare[],
  { ms, expectedMs, shortMs }: RunTime,
  known: Iterable<RoleShare>,
): boolean {
  if (expectedMs === 0) return true;
  const ratio = ms / expectedMs;
  const one = ran.length === 1 ? ran[0] : undefined;
  const usual = quickestOf(known, one);
  const isLong = ms > shortMs && ratio > APART * usual;
  if (one !== undefined) {
    const isFirst = one.slowness === 0 || (isLong && !one.isApart);
    one.slowness = within(isFirst ? ratio : Math.sqrt(one.slowness * ratio));
    one.quickest = within(one.quickest === 0 ? ratio : Math.min(ratio, RISE * one.quickest));
    one.isApart = isLong || (one.isApart && one.slowness > APART * usual);
  } else if (isLong) for (const share of ran) share.isApart = true;
  return !ran.some(({ isApart }) => isApart);
}

/**
 * What the quickest batches of the other roles take, as a multiple of c(b): that alone may be ten times too long, where it was
 * measured while the machine had much to do.
 */
function quickestOf(known: Iterable<RoleShare>, one: RoleShare | undefined): number {
  let least = Number.POSITIVE_INFINITY;
  for (const share of known) if (share !== one && share.quickest > 0) least = Math.min(least, share.quickest);
  return Number.isFinite(least) ? least : 1;
}

const within = (ratio: number): number => Math.min(MOST, Math.max(LEAST, ratio));
