/** A batch that runs longer than was thought is expected to end so soon, ms. */
const SOON_MS = 1;

/** Which of a device's slots run a batch, and until when by what is known. */
export class Slots {
  readonly #endMs: (number | undefined)[];
  #taken = 0;
  /** Batches beyond the slots: of roles that would otherwise wait for others' batches. */
  #beyond = 0;

  constructor(count: number) {
    this.#endMs = new Array<number | undefined>(count).fill(undefined);
  }

  get taken(): number {
    return this.#taken + this.#beyond;
  }

  get anyFree(): boolean {
    return this.#taken < this.#endMs.length;
  }

  /** A free slot; where there is none, -1, which is one beyond. */
  take(endMs: number): number {
    const slot = this.#endMs.indexOf(undefined);
    if (slot < 0) {
      this.#beyond++;
      return slot;
    }
    this.#endMs[slot] = endMs;
    this.#taken++;
    return slot;
  }

  free(slot: number): void {
    if (slot < 0) {
      this.#beyond--;
      return;
    }
    this.#endMs[slot] = undefined;
    this.#taken--;
  }

  /** When each is free. */
  freeMs(nowMs: number): number[] {
    return this.#endMs.map((endMs) => (endMs === undefined ? nowMs : Math.max(endMs, nowMs + SOON_MS)));
  }
}
