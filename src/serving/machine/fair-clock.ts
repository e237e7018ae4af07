/** Number of idle keys whose state is kept; beyond, the state of the longest idle one is dropped. */
const MAX_KEPT = 1024;

/** A key with work that waits: its tag, and the work itself. */
export interface FairTurn {
  tag: number;
  next: { readonly deadlineMs: number } | undefined;
}

/**
 * Start-time fair queueing (Goyal, Vin, Cheng 1996) of roles or models: the next work of each key has a start tag, the
 * smallest goes first, and the cost of the work advances the tag. The clock is the tag of the work that started last: a
 * key that returns after a pause starts there, or `credit` before, as in borrowed-virtual-time scheduling (Duda, Cheriton
 * 1999): work that comes in a burst after it, up to that cost, goes before that of keys that never pause.
 */
export class FairClock<K> {
  #now = 0;
  readonly #credit: number;
  readonly #ends = new Map<K, number>();

  constructor({ credit = 0 } = {}) {
    this.#credit = credit;
  }

  /** The start tag of work of a new key. */
  get startOfNew(): number {
    return this.#now - this.#credit;
  }

  startOf(key: K): number {
    return Math.max(this.startOfNew, this.#ends.get(key) ?? Number.NEGATIVE_INFINITY);
  }

  /**
   * The one whose work is next: of those that have credit, the one with the earliest deadline; otherwise the one with the
   * smallest tag. `next` is undefined if it has no more work.
   */
  next<T extends FairTurn>(turns: readonly T[]): T | undefined {
    let first: T | undefined;
    for (const turn of turns)
      if (turn.next !== undefined && (first === undefined || this.#isBefore(turn, first))) first = turn;
    return first;
  }

  #isBefore(one: FairTurn, other: FairTurn): boolean {
    if (one.tag >= this.#now || other.tag >= this.#now) return one.tag < other.tag;
    return (one.next?.deadlineMs ?? 0) < (other.next?.deadlineMs ?? 0);
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

  /** Drops a key whose next tag is that of a new one. */
  forget(key: K): void {
    if (this.startOf(key) === this.startOfNew) this.#ends.delete(key);
  }

  /** Drops all such keys; if there are none, the oldest. */
  #forget(): void {
    for (const key of this.#ends.keys()) this.forget(key);
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > MAX_KEPT && oldest !== undefined) this.#ends.delete(oldest);
  }
}
