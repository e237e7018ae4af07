/** Two in a hundred batches may take longer than the margin; with more, close deadlines are missed. */
const QUANTILE = 0.98;
const STEP = 0.02;
const LARGEST = 3;
/** After a batch that exceeds it by a smaller share, such as a rounding error, it moves by correspondingly less. */
const FULL_STEP_FROM = 0.02;

/** Ratio of a bad case to the expected time of a batch: a quantile, by stochastic approximation. */
export class Margin {
  #value = 1;

  get value(): number {
    return this.#value;
  }

  /** `ratio`: actual time of a batch ÷ expected time. */
  observe(ratio: number): void {
    const above = Math.min(1, (ratio / this.#value - 1) / FULL_STEP_FROM);
    const move = STEP * (above > 0 ? above * QUANTILE : QUANTILE - 1);
    this.#value = Math.min(LARGEST, Math.max(1, this.#value * (1 + move)));
  }
}
