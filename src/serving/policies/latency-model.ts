/** Batch sizes that are measured when a model loads; between them c(b) is a line. */
export const measuredSizes = [1, 4, 16, 64, 256] as const;
export const largestBatch = 256;

/**
 * c(b) is kept at this quantile of what batches take: a mean would promise deadlines that half of the batches miss.
 * The estimate moves by a share of itself, up after a slow batch and down after a fast one, in the ratio that leaves it
 * there (stochastic approximation of a quantile).
 */
const QUANTILE = 0.75;
const STEP = 0.1;

/** c(b): how long a batch of b rows takes on one device, ms; measured at load, then kept current by every batch. */
export class LatencyModel {
  readonly #points: { rows: number; ms: number }[];

  /**
   * `measured` holds milliseconds by batch size, at least one. What a larger batch does not take, a smaller one does not take
   * either: a size that once seemed slow would never be tried again.
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

  /** The measured points beside `rows`; twice the last one beyond the end, twice the first before the beginning. */
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
