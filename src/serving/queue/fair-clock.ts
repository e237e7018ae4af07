import { ownCopy } from './active-roles.ts';

/** Number of idle roles whose state is kept; beyond, the state of the longest idle role is dropped. */
const MAX_KEPT = 1024;

/**
 * Start-time fair queueing (Goyal, Vin, Cheng 1996): each role's next work has a start tag, the smallest goes first,
 * and the cost of the work advances the tag. The clock is the tag of the work that started last: a role that returns
 * after a pause starts there, without credit for the pause.
 */
export class FairClock {
  #now = 0;
  readonly #ends = new Map<string, number>();

  startOf(role: string): number {
    return Math.max(this.#now, this.#ends.get(role) ?? 0);
  }

  /** Work with this tag starts. */
  begin(start: number): void {
    this.#now = Math.max(this.#now, start);
  }

  charge(role: string, cost: number): void {
    const end = this.startOf(role) + cost;
    const isNew = !this.#ends.has(role);
    this.#ends.set(isNew ? ownCopy(role) : role, end);
    if (isNew && this.#ends.size > MAX_KEPT) this.#forget();
  }

  /** Drops roles whose tag is not ahead of the clock; if there are none, the oldest. */
  #forget(): void {
    for (const [role, end] of this.#ends) if (end <= this.#now) this.#ends.delete(role);
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > MAX_KEPT && oldest !== undefined) this.#ends.delete(oldest);
  }
}

/** The one whose turn is next. */
export function earliest<T extends { start: number }>(turns: readonly T[]): T | undefined {
  let first: T | undefined;
  for (const turn of turns) if (first === undefined || turn.start < first.start) first = turn;
  return first;
}
