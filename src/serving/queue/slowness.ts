import type { RoleQueue } from './queued-request.ts';

/**
 * A role is slow if its rows take this many times as long as other roles' rows: a busy machine makes all rows 3 to 5
 * times slower.
 */
const SLOW_FACTOR = 8;
/** The estimate of a role's quickest batches rises slowly: a batch may be delayed by another role's slow rows. */
const RISE = 1.02;
/** Bounds of the estimates. */
const MIN_SLOWNESS = 1 / 16;
const MAX_SLOWNESS = 1e4;

export interface RunTime {
  ms: number;
  /** c(b): the expected time. */
  expectedMs: number;
  /** Shorter batches do not delay other roles. */
  shortMs: number;
}

/**
 * Updates the roles' slowness after a batch. Returns whether its time is representative of the model. An image of 50
 * million pixels takes a second where others take 10 ms: such inputs of one role must not make the model seem slow, or
 * no request could be in time. All roles in a slow batch are suspected; their own batches decide, compared with other
 * roles' batches: if all are slow, the machine is.
 */
export function updateSlowness(
  ran: readonly RoleQueue[],
  { ms, expectedMs, shortMs }: RunTime,
  known: Iterable<RoleQueue>,
): boolean {
  if (expectedMs === 0) return true;
  const ratio = ms / expectedMs;
  const one = ran.length === 1 ? ran[0] : undefined;
  const usual = quickestOf(known, one);
  const isLong = ms > shortMs && ratio > SLOW_FACTOR * usual;
  if (one !== undefined) {
    const isFirst = one.slowness === 0 || (isLong && !one.isSlow);
    one.slowness = within(isFirst ? ratio : Math.sqrt(one.slowness * ratio));
    one.quickest = within(one.quickest === 0 ? ratio : Math.min(ratio, RISE * one.quickest));
    one.isSlow = isLong || (one.isSlow && one.slowness > SLOW_FACTOR * usual);
  } else if (isLong) for (const queue of ran) queue.isSlow = true;
  return !ran.some(({ isSlow }) => isSlow);
}

/**
 * Time of the other roles' quickest batches as a multiple of c(b), which alone may be ten times too high if it was
 * measured on a busy machine.
 */
function quickestOf(known: Iterable<RoleQueue>, one: RoleQueue | undefined): number {
  let min = Number.POSITIVE_INFINITY;
  for (const queue of known) if (queue !== one && queue.quickest > 0) min = Math.min(min, queue.quickest);
  return Number.isFinite(min) ? min : 1;
}

const within = (ratio: number): number => Math.min(MAX_SLOWNESS, Math.max(MIN_SLOWNESS, ratio));
