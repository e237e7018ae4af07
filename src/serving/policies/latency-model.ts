/** Batch sizes measured at load; c(b) is interpolated linearly between them. */
export const measuredSizes = [1, 4, 16, 64, 256] as const;
export const largestBatch = 256;

/**
 * c(b) is this quantile of the batches' times: with the mean, half of the batches would miss their deadlines. The
 * estimate moves by a share of itself, up after a slow batch and down after a fast one, in the ratio that keeps it at
 * the quantile (stochastic approximation).
 */
const QUANTILE = 0.75;
const STEP = 0.1;

/** c(b): the time of a batch of b rows on one device, ms; measured at load and updated by every batch. */
export class LatencyModel {
  readonly #points: { rows: number; ms: number }[];

  /**
   * `measured`: milliseconds by batch size, at least one. A smaller batch never counts as slower than a larger one:
   * otherwise a size that once seemed slow would never be tried again.
   */
  constructor(measured: ReadonlyMap<number, number>) {
    this.#points = [...measured].map(([rows, ms]) => ({ rows, ms })).sort((a, b) => a.rows - b.rows);
    for (let i = this.#points.length - 2; i >= 0; i--) {
      const [point, larger] = [this.#points[i] as LatencyPoint, this.#points[i + 1] as LatencyPoint];
      point.ms = Math.min(point.ms, larger.ms);
    }
  }

  predict(rows: number): number {
    const [left, right] = this.#around(rows);
    if (left === right) return (left.ms * Math.max(rows, left.rows)) / left.rows;
    return left.ms + ((right.ms - left.ms) * (rows - left.rows)) / (right.rows - left.rows);
  }

  observe(rows: number, ms: number): void {
    const predicted = this.predict(rows);
    const move = 1 + STEP * (ms > predicted ? QUANTILE : QUANTILE - 1);
    const [left, right] = this.#around(rows);
    const share = left === right ? 1 : (rows - left.rows) / (right.rows - left.rows);
    right.ms *= move ** share;
    if (left !== right) left.ms *= move ** (1 - share);
  }

  /** The measured points around `rows`; the last one twice beyond the end, the first one twice before the start. */
  #around(rows: number): [LatencyPoint, LatencyPoint] {
    const points = this.#points;
    let right = points.findIndex((point) => point.rows >= rows);
    if (right < 0) right = points.length - 1;
    const beyond = right === 0 || (points[right] as LatencyPoint).rows < rows;
    return [points[beyond ? right : right - 1] as LatencyPoint, points[right] as LatencyPoint];
  }
}

interface LatencyPoint {
  rows: number;
  ms: number;
}
