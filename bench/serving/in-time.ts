import type { Arrivals } from './arrivals.ts';

/** A state of the search: when the device is free, and how many requests were answered in time. */
type Reached = [freeMs: number, answered: number];

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
  const states = new Array<Reached[] | undefined>(count + 1);
  states[0] = [[0, 0]];
  for (let first = 0; first < count; first++) {
    const arrivedMs = arrivals[first]!;
    for (const [freeMs, answered] of relevant(states[first] ?? [], arrivedMs)) {
      reach(states, first + 1, [freeMs, answered]); // this request is not answered
      for (let rows = 1; rows <= largest && first + rows <= count; rows++) {
        const endMs = Math.max(freeMs, arrivals[first + rows - 1]!) + latencyMs(rows);
        if (endMs > arrivedMs + budgetMs) break;
        reach(states, first + rows, [endMs, answered + rows]);
      }
    }
    states[first] = undefined;
  }
  return Math.max(0, ...(states[count] ?? []).map(([, answered]) => answered));
}

/** A device that was free before a request came is as good as one that is free then. */
function relevant(states: readonly Reached[], arrivedMs: number): Reached[] {
  const later = states.filter(([freeMs]) => freeMs > arrivedMs);
  const before = states[states.length - later.length - 1];
  return before === undefined ? later : [[arrivedMs, before[1]], ...later];
}

/** Adds a state to those of a place, which are in ascending order in both values. */
function reach(all: (Reached[] | undefined)[], place: number, state: Reached): void {
  const states = all[place] ?? [];
  all[place] = states;
  let at = states.length;
  while (at > 0 && states[at - 1]![0] > state[0]) at--;
  if (at > 0 && states[at - 1]![1] >= state[1]) return;
  let worse = at;
  while (worse < states.length && states[worse]![1] <= state[1]) worse++;
  if (at > 0 && states[at - 1]![0] === state[0]) at--;
  states.splice(at, worse - at, state);
}
