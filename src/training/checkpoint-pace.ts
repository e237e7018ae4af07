/** Storing takes at most this share of the time: a large checkpoint is mostly written to the write-ahead log of Postgres, and read by its standbys. */
const STORING_SHARE = 1 / 20;
/** Storing that takes no longer does not count: a trial that has lost its worker begins with short intervals. */
const QUICK_MS = 1_000;
/** However long storing took: the database may have been away, and what is trained since the last checkpoint may be lost. */
const MAX_INTERVAL_MS = 5 * 60_000;

/** When a checkpoint is due: the interval doubles at first, and grows with the time that storing one takes. */
export class CheckpointPace {
  readonly #laterMs: number;
  #intervalMs: number;
  #sentMs: number;
  #storingMs = 0;
  #isStoring = false;

  constructor({ first, later }: { first: number; later: number }, nowMs: number) {
    this.#intervalMs = first;
    this.#laterMs = later;
    this.#sentMs = nowMs;
  }

  /** A checkpoint was sent and is not stored yet. */
  get isStoring(): boolean {
    return this.#isStoring;
  }

  isDue(nowMs: number): boolean {
    const slowMs = this.#storingMs > QUICK_MS ? Math.min(this.#storingMs / STORING_SHARE, MAX_INTERVAL_MS) : 0;
    return nowMs - this.#sentMs >= Math.max(this.#intervalMs, slowMs);
  }

  sent(nowMs: number): void {
    this.#sentMs = nowMs;
    this.#isStoring = true;
    this.#intervalMs = Math.min(2 * this.#intervalMs, this.#laterMs);
  }

  stored(nowMs: number): void {
    this.#storingMs = nowMs - this.#sentMs;
    this.#isStoring = false;
  }
}
