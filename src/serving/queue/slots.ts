/** A batch that runs longer than expected is assumed to end after this time, ms. */
const SOON_MS = 1;

/** Which of a device's slots run a batch, and their expected ends. */
export class Slots {
  readonly #endMs: (number | undefined)[];
  #taken = 0;
  /** Batches beyond the slots: of roles that would otherwise wait for other roles' long batches. */
  #extra = 0;

  constructor(count: number) {
    this.#endMs = new Array<number | undefined>(count).fill(undefined);
  }

  get taken(): number {
    return this.#taken + this.#extra;
  }

  /**
   * When a batch may run beyond the slots: if no batch has ended `graceMs` after all should have; one at a time.
   */
  extraFromMs(graceMs: number): number {
    if (this.#extra > 0) return Number.POSITIVE_INFINITY;
    return graceMs + Math.min(...this.#endMs.map((endMs) => endMs ?? Number.NEGATIVE_INFINITY));
  }

  get anyFree(): boolean {
    return this.#taken < this.#endMs.length;
  }

  /** Takes a free slot, or -1, a place beyond the slots, if none is free. */
  take(endMs: number): number {
    const slot = this.#endMs.indexOf(undefined);
    if (slot < 0) {
      this.#extra++;
      return slot;
    }
    this.#endMs[slot] = endMs;
    this.#taken++;
    return slot;
  }

  free(slot: number): void {
    if (slot < 0) {
      this.#extra--;
      return;
    }
    this.#endMs[slot] = undefined;
    this.#taken--;
  }

  /** When each slot is free. */
  freeMs(nowMs: number): number[] {
    return this.#endMs.map((endMs) => (endMs === undefined ? nowMs : Math.max(endMs, nowMs + SOON_MS)));
  }
}
