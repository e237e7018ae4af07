import type { Fleet, PolicyState, QueueView, Station, Subset } from './policy.ts';

export const everyone = ({ members }: Fleet): Subset => 2 ** members - 1;

/** Subsets worth asking: none that takes less is as accurate. */
export function usefulSubsets(fleet: Fleet): readonly Subset[] {
  const known = useful.get(fleet) ?? findUseful(fleet);
  useful.set(fleet, known);
  return known;
}

/** Nothing that decides it ever changes, and each decision asks. */
const useful = new WeakMap<Fleet, readonly Subset[]>();

function findUseful(fleet: Fleet): Subset[] {
  const all = Array.from({ length: everyone(fleet) }, (_, i) => membersOf(i + 1, fleet)).filter(areDifferent);
  const accuracy = ({ subset }: Members): number => fleet.accuracy[subset] ?? 0;
  return all
    .filter((one) => !all.some((less) => takesLess(less, one) && accuracy(less) >= accuracy(one)))
    .map(({ subset }) => subset);
}

/** A subset, the originals of its members, and which of these stand in it themselves, as bits. */
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

/** A member and its variant say the same. */
const areDifferent = ({ size, originals }: Members): boolean => size === bitsOf(originals);

/** Without some of the members, or with variants in their place. */
const takesLess = (less: Members, more: Members): boolean =>
  less.subset !== more.subset && isPart(less.originals, more.originals) && isPart(less.exact, more.exact);

const isPart = (part: Subset, whole: Subset): boolean => (part & whole) === part;

function bitsOf(subset: Subset): number {
  let bits = 0;
  for (let rest = subset; rest > 0; rest &= rest - 1) bits++;
  return bits;
}

/** The most accurate subset; of equals, the one with fewest members. */
export const mostAccurate = (fleet: Fleet): Subset =>
  usefulSubsets(fleet).reduce((best, next) =>
    (fleet.accuracy[next] ?? 0) > (fleet.accuracy[best] ?? 0) ? next : best,
  );

/** Time of a batch at one station: its members run one after another. */
export function stationMs(fleet: Fleet, station: Station, { subset, rows }: { subset: Subset; rows: number }): number {
  let ms = 0;
  for (let m = 0; m < fleet.members; m++) {
    if ((station.members & subset & (1 << m)) !== 0) ms += fleet.latencyMs(m, rows);
  }
  return ms;
}

/** When a server of the station is free, not before now. */
export function freeAt(state: PolicyState, station: number): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const ms of state.freeMs[station] ?? []) earliest = Math.min(earliest, ms);
  return Math.max(state.nowMs, earliest);
}

/** When the last station of the subset can begin. */
export function startMs(fleet: Fleet, state: PolicyState, subset: Subset): number {
  let start = state.nowMs;
  fleet.stations.forEach((station, s) => {
    if ((station.members & subset) !== 0) start = Math.max(start, freeAt(state, s));
  });
  return start;
}

/** When a batch is answered if it is dispatched now, at the latest; a member whose station is busy begins when that is free. */
export function finishMs(fleet: Fleet, state: PolicyState, batch: { subset: Subset; rows: number }): number {
  let finish = state.nowMs;
  fleet.stations.forEach((station, s) => {
    if ((station.members & batch.subset) === 0) return;
    finish = Math.max(finish, freeAt(state, s) + fleet.margin * stationMs(fleet, station, batch));
  });
  return finish;
}

/** How many at the head of the queue have a deadline before `ms`. */
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

/** When a batch that is dispatched now is answered at the earliest: the smallest one, by the quickest subset worth asking. */
export function earliestMs(fleet: Fleet, state: PolicyState): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const subset of usefulSubsets(fleet)) {
    earliest = Math.min(earliest, finishMs(fleet, state, { subset, rows: fleet.sizes[0] ?? 1 }));
  }
  return earliest;
}

/**
 * How many at the head of the queue no batch can answer in time. Only subsets that a policy would ask count: it would wait
 * for ever with a request that just a member could answer in time which nobody asks, such as one whose variant is as accurate.
 */
export const doomed = (fleet: Fleet, state: PolicyState): number => lateAt(state.queue, earliestMs(fleet, state));

/** The largest allowed size that `rows` fill; the smallest size where they fill none. */
export function largestFilled(sizes: readonly number[], rows: number): number {
  let filled = sizes[0] ?? 1;
  for (const size of sizes) if (size <= rows) filled = size;
  return filled;
}

/** The smallest allowed size that holds `rows`; the largest where none does. */
export function smallestHolding(sizes: readonly number[], rows: number): number {
  for (const size of sizes) if (size >= rows) return size;
  return sizes[sizes.length - 1] ?? 1;
}
