import type { Decision, Fleet, PolicyOptions, PolicyState, QueueView, Station, Subset } from './policy.ts';

/** The largest batch. */
export const largestOf = ({ sizes }: Fleet): number => sizes[sizes.length - 1] ?? 1;

export const allMembers = ({ members }: Fleet): Subset => 2 ** members - 1;

/** The Pareto-optimal subsets: no subset of less work is as accurate. */
export function usefulSubsets(fleet: Fleet): readonly Subset[] {
  const known = useful.get(fleet) ?? computeUsefulSubsets(fleet);
  useful.set(fleet, known);
  return known;
}

/** Computed once per fleet: the inputs never change, and each decision needs them. */
const useful = new WeakMap<Fleet, readonly Subset[]>();

function computeUsefulSubsets(fleet: Fleet): Subset[] {
  const all = Array.from({ length: allMembers(fleet) }, (_, i) => membersOf(i + 1, fleet)).filter(areDifferent);
  const accuracy = ({ subset }: Members): number => fleet.accuracy[subset] ?? 0;
  return all
    .filter((one) => !all.some((less) => takesLess(less, one) && accuracy(less) >= accuracy(one)))
    .map(({ subset }) => subset);
}

/** A subset, the originals of its members, and the originals that are members themselves, as bits. */
interface Members {
  subset: Subset;
  size: number;
  originals: Subset;
  exact: Subset;
}

function membersOf(subset: Subset, { members, originals }: Fleet): Members {
  const found: Members = { subset, size: 0, originals: 0, exact: 0 };
  for (let m = 0; m < members; m++) {
    if ((subset & (1 << m)) === 0) continue;
    const original = originals?.[m] ?? m;
    found.size++;
    found.originals |= 1 << original;
    if (original === m) found.exact |= 1 << m;
  }
  return found;
}

/** False if a member and its variant are both in the subset: their answers are the same. */
const areDifferent = ({ size, originals }: Members): boolean => size === bitsOf(originals);

/** Whether `less` is `more` without some members, or with variants in their place. */
const takesLess = (less: Members, more: Members): boolean =>
  less.subset !== more.subset && isPart(less.originals, more.originals) && isPart(less.exact, more.exact);

const isPart = (part: Subset, whole: Subset): boolean => (part & whole) === part;

function bitsOf(subset: Subset): number {
  let bits = 0;
  for (let rest = subset; rest > 0; rest &= rest - 1) bits++;
  return bits;
}

/** The most accurate subset; among equals, the one with the fewest members. */
export function mostAccurate(fleet: Fleet): Subset {
  let best: Subset | undefined;
  for (const next of usefulSubsets(fleet)) {
    if (best === undefined || (fleet.accuracy[next] ?? 0) > (fleet.accuracy[best] ?? 0)) best = next;
  }
  return best ?? allMembers(fleet);
}

/** Time of a batch at one station, ms: its members run one after another. */
export function stationMs(fleet: Fleet, station: Station, { subset, rows }: { subset: Subset; rows: number }): number {
  let ms = 0;
  for (let m = 0; m < fleet.members; m++) {
    if ((station.members & subset & (1 << m)) !== 0) ms += fleet.latencyMs(m, rows);
  }
  return ms;
}

/** Rows a millisecond in largest batches, if at each station the quickest member answers. */
export function throughputOf(fleet: Fleet): number {
  const rows = largestOf(fleet);
  let sum = 0;
  for (const { members, servers } of fleet.stations) {
    let quickestMs = Number.POSITIVE_INFINITY;
    for (let m = 0; m < fleet.members; m++)
      if ((members & (1 << m)) !== 0) quickestMs = Math.min(quickestMs, fleet.latencyMs(m, rows));
    sum += (servers * rows) / quickestMs;
  }
  return sum;
}

/** Rows a millisecond in largest batches of one subset. */
export function throughputOfSubset(fleet: Fleet, subset: Subset): number {
  const rows = largestOf(fleet);
  let longestMs = Number.NEGATIVE_INFINITY;
  for (const station of fleet.stations)
    longestMs = Math.max(longestMs, stationMs(fleet, station, { subset, rows }) / station.servers);
  return rows / longestMs;
}

/** When a server of the station is free; at the earliest now. */
export function freeAt(state: PolicyState, station: number): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const ms of state.freeMs[station] ?? []) earliest = Math.min(earliest, ms);
  return Math.max(state.nowMs, earliest);
}

/** When the last station of the subset can start. */
export function startMs(fleet: Fleet, state: PolicyState, subset: Subset): number {
  let start = state.nowMs;
  for (let s = 0; s < fleet.stations.length; s++) {
    if ((fleet.stations[s]!.members & subset) !== 0) start = Math.max(start, freeAt(state, s));
  }
  return start;
}

/**
 * The latest time at which a batch dispatched now is answered; a member at a busy station starts when the station is
 * free.
 */
export function finishMs(fleet: Fleet, state: PolicyState, batch: { subset: Subset; rows: number }): number {
  let finish = state.nowMs;
  for (let s = 0; s < fleet.stations.length; s++) {
    const station = fleet.stations[s]!;
    if ((station.members & batch.subset) === 0) continue;
    finish = Math.max(finish, freeAt(state, s) + fleet.margin * stationMs(fleet, station, batch));
  }
  return finish;
}

/** Number of requests at the head of the queue with a deadline before `ms`. */
export function lateAt(queue: QueueView, ms: number): number {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (queue.deadlineMs(middle) < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A batch of at most `rows` without the requests that it leaves out; if these are all, it leaves out none. */
export function dispatched(
  { fleet, leavesOut = lateAt }: PolicyOptions,
  state: PolicyState,
  { subset, rows }: { subset: Subset; rows: number },
): Decision {
  const { queue } = state;
  const out = leavesOut(queue, finishMs(fleet, state, { subset, rows }));
  const from = out < queue.length ? out : 0;
  return { kind: 'dispatch', subset, from, rows: Math.min(rows, queue.length - from) };
}

/** The earliest time at which a batch dispatched now is answered: the smallest size, the quickest useful subset. */
export function earliestMs(fleet: Fleet, state: PolicyState): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const subset of usefulSubsets(fleet)) {
    earliest = Math.min(earliest, finishMs(fleet, state, { subset, rows: fleet.sizes[0] ?? 1 }));
  }
  return earliest;
}

/**
 * Number of requests at the head of the queue that no batch can answer in time. Only useful subsets count: otherwise a
 * policy could wait forever with a request that only an unused member could answer in time, such as one whose variant
 * is as accurate.
 */
export const alreadyLate = (fleet: Fleet, state: PolicyState): number => lateAt(state.queue, earliestMs(fleet, state));

/** The largest size that `rows` fill; the smallest size if they fill none. */
export function largestFilled(sizes: readonly number[], rows: number): number {
  let filled = sizes[0] ?? 1;
  for (const size of sizes) if (size <= rows) filled = size;
  return filled;
}
