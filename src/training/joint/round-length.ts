/** The fraction of the time that goes into exchanging weights: below a tenth, with the first rounds, which are shorter. */
const EXCHANGE_FRACTION = 0.08;
/** Weight of the newest round in the mean times. */
const NEWEST = 0.3;
/** A round is at most this many times as long as the one before: one slow exchange must not decide. */
const MAX_GROWTH = 4;

/**
 * The time that a worker trains between two exchanges: as little as keeps the exchange within that fraction, because
 * workers that train apart for long learn less from each other (Stich 2019).
 */
export class RoundLength {
  #exchangeSeconds = 0;
  #secondsPerRow = 0;
  /** Rows of one worker in the next round; 0: as few as possible. */
  #rows = 0;

  get rows(): number {
    return this.#rows;
  }

  /** Notes how long a worker trained its rows, and how long all that is not training took. */
  add({ rows, trainSeconds, exchangeSeconds }: RoundTimes): void {
    const first = this.#secondsPerRow === 0;
    const mean = (before: number, now: number): number => (first ? now : before + NEWEST * (now - before));
    this.#secondsPerRow = mean(this.#secondsPerRow, trainSeconds / rows);
    this.#exchangeSeconds = mean(this.#exchangeSeconds, exchangeSeconds);
    const trainable = (this.#exchangeSeconds * (1 - EXCHANGE_FRACTION)) / EXCHANGE_FRACTION;
    this.#rows = Math.min(trainable / this.#secondsPerRow, rows * MAX_GROWTH);
  }
}

export interface RoundTimes {
  /** Of one worker. */
  rows: number;
  trainSeconds: number;
  exchangeSeconds: number;
}

/** Batches of the next round when `left` are left of the epoch: rounds of about the same length, of at least `min` where possible. */
export function roundBatches(left: number, min: number): number {
  return Math.ceil(left / Math.max(1, Math.floor(left / min)));
}
