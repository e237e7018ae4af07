import { ownCopy } from './crowd.ts';

/** Roles whose part is remembered while they ask nothing; beyond, who asked longest ago begins anew. */
const MAX_KEPT = 1024;

/**
 * Start-time fair queueing (Goyal, Vin, Cheng 1996): each role's next piece of work has a start tag, the smallest goes first,
 * and the cost of what was done moves the tag on. The clock is the tag of what was begun last: who comes back after a while
 * begins there, with no credit for the time when he was away.
 */
export class FairClock {
  #now = 0;
  readonly #ends = new Map<string, number>();

  startOf(role: string): number {
    return Math.max(this.#now, this.#ends.get(role) ?? 0);
  }

  /** Work with this tag begins. */
  begin(start: number): void {
    this.#now = Math.max(this.#now, start);
  }

  charge(role: string, cost: number): void {
    const end = this.startOf(role) + cost;
    const isNew = !this.#ends.has(role);
    this.#ends.set(isNew ? ownCopy(role) : role, end);
    if (isNew && this.#ends.size > MAX_KEPT) this.#forget();
  }

  /** Those that are not behind have nothing to remember; where all are, the first that came. */
  #forget(): void {
    for (const [role, end] of this.#ends) if (end <= this.#now) this.#ends.delete(role);
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > MAX_KEPT && oldest !== undefined) this.#ends.delete(oldest);
  }
}

/** Whose turn is next. */
export function earliest<T extends { start: number }>(turns: readonly T[]): T | undefined {
  let first: T | undefined;
  for (const turn of turns) if (first === undefined || turn.start < first.start) first = turn;
  return first;
}
