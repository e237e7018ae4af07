/** The workers may spend this share of the time on exchanging weights. */
const MAX_EXCHANGE_SHARE = 0.1;
/** Weight of the newest round in the mean times. */
const NEWEST = 0.3;
/** A round is at most this many times as long as the one before: one slow exchange must not decide. */
const MAX_GROWTH = 2;

/**
 * The number of batches that a worker trains between two exchanges: as few as keep the exchange within a tenth of the
 * time, because workers that train apart for long learn less from each other (Stich 2019).
 */
export class RoundLength {
  readonly #min: number;
  #secondsPerBatch = 0;
  #exchangeSeconds = 0;
  #batches: number;

  /** `min` batches make one run of the engine. */
  constructor(min: number) {
    this.#min = min;
    this.#batches = min;
  }

  /** Batches of a worker in the next round: a multiple of the minimum. */
  get batches(): number {
    return this.#batches;
  }

  /** Notes how long a worker trained its batches, and how long all that is not training took. */
  add({ batches, trainSeconds, exchangeSeconds }: RoundTimes): void {
    if (batches === 0) return;
    const first = this.#secondsPerBatch === 0;
    const mean = (before: number, now: number): number => (first ? now : before + NEWEST * (now - before));
    this.#secondsPerBatch = mean(this.#secondsPerBatch, trainSeconds / batches);
    this.#exchangeSeconds = mean(this.#exchangeSeconds, exchangeSeconds);
    const trainable = (this.#exchangeSeconds * (1 - MAX_EXCHANGE_SHARE)) / MAX_EXCHANGE_SHARE;
    const wanted = Math.ceil(trainable / this.#secondsPerBatch / this.#min) * this.#min;
    this.#batches = Math.max(this.#min, Math.min(wanted, this.#batches * MAX_GROWTH));
  }
}

export interface RoundTimes {
  /** Of one worker. */
  batches: number;
  trainSeconds: number;
  exchangeSeconds: number;
}

/**
 * Batches of the next round, of all workers, when `left` are left of the epoch: rounds of about the same length, in whole
 * runs of `run` batches where possible. A worker alone has one run a round.
 */
export function roundBatches(left: number, { seats, each, run }: { seats: number; each: number; run: number }): number {
  if (seats === 1) return Math.min(left, run);
  const rounds = Math.ceil(left / (seats * each));
  const unit = seats * run;
  const batches = Math.ceil(left / rounds / unit) * unit;
  return left - batches < unit ? left : batches; // a rest would keep some workers idle
}
