/** Number of idle keys whose state is kept; beyond, the state of the longest idle one is dropped. */
const MAX_KEPT = 1024;

/**
 * Start-time fair queueing (Goyal, Vin, Cheng 1996) of roles or models: the next work of each key has a start tag, the
 * smallest goes first, and the cost of the work advances the tag. The clock is the tag of the work that started last: a
 * key that returns after a pause starts there, without credit for the pause.
 */
export class FairClock<K> {
  #now = 0;
  readonly #ends = new Map<K, number>();

  /** The start tag of work of a new key. */
  get now(): number {
    return this.#now;
  }

  startOf(key: K): number {
    return Math.max(this.#now, this.#ends.get(key) ?? 0);
  }

  /** Work with this tag starts. */
  begin(start: number): void {
    this.#now = Math.max(this.#now, start);
  }

  charge(key: K, cost: number): void {
    this.#ends.set(key, this.startOf(key) + cost);
    if (this.#ends.size > MAX_KEPT) this.#forget();
  }

  remove(key: K): void {
    this.#ends.delete(key);
  }

  /** Drops keys whose tag is not ahead of the clock; if there are none, the oldest. */
  #forget(): void {
    for (const [key, end] of this.#ends) if (end <= this.#now) this.#ends.delete(key);
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
