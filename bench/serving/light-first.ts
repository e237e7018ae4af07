import type { Arrivals } from './arrivals.ts';

/** One device that answers a row at a time. */
export interface RowDevice {
  rowMs: number;
  budgetMs: number;
}

/**
 * By light user, the share in time if light users always came first, a flooder's row ran whenever none of theirs waited, and
 * no row was interrupted. No rule that uses all of the device answers more of them: with equal times and budgets, it cannot
 * do better than to answer those that can still be in time in the order of arrival.
 */
export function sharesIfFirst(light: readonly Arrivals[], flood: Arrivals, { rowMs, budgetMs }: RowDevice): number[] {
  const arrivals = light.flatMap((times, user) => Array.from(times, (ms) => ({ ms, user })));
  arrivals.sort((a, b) => a.ms - b.ms);
  const answered = light.map(() => 0);
  let [first, flooded, freeMs] = [0, 0, 0];
  while (first < arrivals.length) {
    const { ms, user } = arrivals[first]!;
    if (ms <= freeMs) {
      first++;
      if (freeMs + rowMs > ms + budgetMs + 1e-6) continue; // too late, whatever is done
      answered[user]!++;
      freeMs += rowMs;
    } else if (flooded < flood.length && flood[flooded]! <= freeMs) {
      flooded++;
      freeMs += rowMs;
    } else freeMs = Math.min(ms, flood[flooded] ?? Number.POSITIVE_INFINITY);
  }
  return light.map((times, user) => answered[user]! / times.length);
}
