/** For policies, a batch that runs longer than expected ends after this time, ms. */
const SOON_MS = 1;

interface SlotTimes {
  startedMs: number;
  /** Its expected end. */
  endMs: number;
}

/** Which slots of a machine run a batch, and their expected ends. */
export class Slots {
  readonly #batches: (SlotTimes | undefined)[];
  #taken = 0;

  constructor(count: number) {
    this.#batches = new Array<SlotTimes | undefined>(count).fill(undefined);
  }

  get count(): number {
    return this.#batches.length;
  }

  get taken(): number {
    return this.#taken;
  }

  get anyFree(): boolean {
    return this.#taken < this.#batches.length;
  }

  /** Takes a free slot for `ms`, as far as is known; there must be one. */
  take(nowMs: number, ms: number): number {
    const slot = this.#batches.indexOf(undefined);
    this.#batches[slot] = { startedMs: nowMs, endMs: nowMs + ms };
    this.#taken++;
    return slot;
  }

  free(slot: number): void {
    this.#batches[slot] = undefined;
    this.#taken--;
  }

  /** When each slot is free. */
  freeMs(nowMs: number): number[] {
    return this.#batches.map((batch) => (batch === undefined ? nowMs : Math.max(batch.endMs, nowMs + SOON_MS)));
  }

  /**
   * When the next slot is free if a batch takes a free one for `ms`. A batch that runs longer than expected is assumed
   * to take as long again: others rely on this slot.
   */
  nextFreeMs(nowMs: number, ms: number): number {
    if (this.#taken + 1 < this.count) return nowMs;
    let nextMs = nowMs + ms;
    for (const batch of this.#batches) {
      if (batch === undefined) continue;
      const { startedMs, endMs } = batch;
      nextMs = Math.min(nextMs, endMs > nowMs ? endMs : 2 * nowMs - startedMs);
    }
    return nextMs;
  }
}
