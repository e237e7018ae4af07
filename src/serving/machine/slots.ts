/** A batch that runs longer than expected is assumed to end after this time, ms. */
const SOON_MS = 1;

/** Which slots of a machine run a batch, and their expected ends. */
export class Slots {
  readonly #endMs: (number | undefined)[];
  #taken = 0;

  constructor(count: number) {
    this.#endMs = new Array<number | undefined>(count).fill(undefined);
  }

  get count(): number {
    return this.#endMs.length;
  }

  get taken(): number {
    return this.#taken;
  }

  get anyFree(): boolean {
    return this.#taken < this.#endMs.length;
  }

  /** Takes a free slot; there must be one. */
  take(endMs: number): number {
    const slot = this.#endMs.indexOf(undefined);
    this.#endMs[slot] = endMs;
    this.#taken++;
    return slot;
  }

  free(slot: number): void {
    this.#endMs[slot] = undefined;
    this.#taken--;
  }

  /** When each slot is free. */
  freeMs(nowMs: number): number[] {
    return this.#endMs.map((endMs) => (endMs === undefined ? nowMs : Math.max(endMs, nowMs + SOON_MS)));
  }

  /** When the next slot is free if a batch takes a free one until `endMs`. */
  nextFreeMs(nowMs: number, endMs: number): number {
    if (this.#taken + 1 < this.#endMs.length) return nowMs;
    let nextMs = endMs;
    for (const ms of this.#endMs) if (ms !== undefined) nextMs = Math.min(nextMs, Math.max(ms, nowMs + SOON_MS));
    return nextMs;
  }
}
