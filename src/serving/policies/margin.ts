/** Two in a hundred batches may take longer than the margin; with more, close deadlines are missed. */
const QUANTILE = 0.98;
const STEP = 0.02;
const LARGEST = 3;

/** Ratio of a bad case to the expected time of a batch: a quantile, by stochastic approximation. */
export class Margin {
  #value = 1;

  get value(): number {
    return this.#value;
  }

  /** `ratio`: actual time of a batch ÷ expected time. */
  observe(ratio: number): void {
    const move = STEP * (ratio > this.#value ? QUANTILE : QUANTILE - 1);
    this.#value = Math.min(LARGEST, Math.max(1, this.#value * (1 + move)));
  }
}
