/** Batches that take longer than the margin says: so few in a hundred, or deadlines that are close are missed. */
const QUANTILE = 0.98;
const STEP = 0.02;
const LARGEST = 3;

/** How much longer than expected batches take in bad cases: a quantile of that ratio, followed by stochastic approximation. */
export class Margin {
  #value = 1;

  get value(): number {
    return this.#value;
  }

  /** `ratio`: the time that a batch took by the time that it was expected to take. */
  observe(ratio: number): void {
    const move = STEP * (ratio > this.#value ? QUANTILE : QUANTILE - 1);
    this.#value = Math.min(LARGEST, Math.max(1, this.#value * (1 + move)));
  }
}
