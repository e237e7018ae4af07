/** Windows of the estimate, in τ, ascending. */
const WINDOWS = [0.25, 0.5, 1, 2, 4];
const BINS_PER_BUDGET = 16;
const BINS = 4 * BINS_PER_BUDGET;
/** A wider window is used if it agrees with the narrower one within this many standard deviations. */
const AGREEMENT = 2;

/** Current arrivals per millisecond, from the widest window of ¼ to 4 τ that agrees with the narrower ones. */
export class ArrivalRate {
  readonly #binMs: number;
  readonly #counts = new Float64Array(BINS);
  /** Index of the current bin, counted from time 0. */
  #bin = 0;
  #firstMs: number | undefined;

  constructor(budgetMs: number) {
    this.#binMs = budgetMs / BINS_PER_BUDGET;
  }

  arrived(nowMs: number): void {
    this.#firstMs ??= nowMs;
    this.#advance(nowMs);
    this.#counts[this.#bin % BINS]! += 1;
  }

  at(nowMs: number): number {
    if (this.#firstMs === undefined) return 0;
    this.#advance(nowMs);
    let rate = 0;
    let error = Number.POSITIVE_INFINITY;
    let count = 0;
    let bins = 0;
    for (const window of WINDOWS) {
      while (bins < window * BINS_PER_BUDGET) {
        count += this.#counts[(this.#bin - bins + BINS) % BINS]!;
        bins++;
      }
      const ms = Math.min(
        (bins - 1) * this.#binMs + (nowMs - this.#bin * this.#binMs),
        Math.max(this.#binMs, nowMs - this.#firstMs),
      );
      const wider = count / ms;
      if (Math.abs(wider - rate) > AGREEMENT * error) break;
      rate = wider;
      error = Math.sqrt(count + 1) / ms;
    }
    return rate;
  }

  #advance(nowMs: number): void {
    const bin = Math.floor(nowMs / this.#binMs);
    if (bin - this.#bin >= BINS) {
      this.#counts.fill(0);
      this.#bin = bin;
    }
    while (this.#bin < bin) this.#counts[++this.#bin % BINS] = 0;
  }
}
