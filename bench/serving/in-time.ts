import type { Arrivals } from './arrivals.ts';

/** How far the numbers of answers after one request may differ: several batches. */
const RANGE = 2048;

/** After one request: by the number of answers, counted from `base`, when the device is free at the earliest. */
interface Reached {
  base: number;
  freeMs: Float64Array;
}

/**
 * The most requests that one device can answer in time in batches of any size up to `largest`, if all arrivals are
 * known. Exact: with equal budgets there is a best schedule that answers in the order of arrival, so that after each
 * request only the states matter that are free earlier or have answered more than all others.
 */
export function mostInTime(
  arrivals: Arrivals,
  { latencyMs, budgetMs, largest }: { latencyMs(rows: number): number; budgetMs: number; largest: number },
): number {
  const count = arrivals.length;
  const takesMs = Float64Array.from({ length: largest + 1 }, (_, rows) => latencyMs(rows));
  const states = new Array<Reached | undefined>(count + 1);
  reach(states, 0, 0, 0);
  for (let first = 0; first < count; first++) {
    const { base, freeMs } = states[first]!;
    states[first] = undefined;
    const arrivedMs = arrivals[first]!;
    const most = Math.min(largest, count - first);
    let soonestMs = Number.POSITIVE_INFINITY;
    // A device that was free before the request came is as good as one that is free then.
    for (let place = RANGE - 1; place >= 0 && soonestMs > arrivedMs; place--) {
      if (freeMs[place]! >= soonestMs) continue;
      soonestMs = Math.max(arrivedMs, freeMs[place]!);
      const answered = base + place;
      reach(states, first + 1, soonestMs, answered); // this request is not answered
      for (let rows = 1; rows <= most; rows++) {
        const endMs = Math.max(soonestMs, arrivals[first + rows - 1]!) + takesMs[rows]!;
        if (endMs > arrivedMs + budgetMs) break;
        reach(states, first + rows, endMs, answered + rows);
      }
    }
  }
  const { base, freeMs } = states[count]!;
  return base + freeMs.findLastIndex(Number.isFinite);
}

function reach(states: (Reached | undefined)[], request: number, endMs: number, answered: number): void {
  let reached = states[request];
  if (reached === undefined) {
    reached = { base: answered - RANGE / 2, freeMs: new Float64Array(RANGE).fill(Number.POSITIVE_INFINITY) };
    states[request] = reached;
  }
  const place = answered - reached.base;
  if (place < 0 || place >= RANGE) throw new RangeError('the schedules differ by more answers than there is room for');
  if (endMs < reached.freeMs[place]!) reached.freeMs[place] = endMs;
}
