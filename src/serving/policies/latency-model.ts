/** Batch sizes measured at load. */
export const measuredSizes = [1, 4, 16, 64, 256] as const;
export const largestBatch = 256;
/**
 * Sizes at which c(b) is known, two per doubling; between them it is interpolated. Those that were not measured at load
 * are measured by the batches that run: most precisely where there is traffic.
 */
export const knownSizes = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256] as const;

/**
 * c(b) is this quantile of the batches' times: with the mean, half of the batches would miss their deadlines. The
 * estimate moves by a share of itself, up after a slow batch and down after a fast one, in the ratio that keeps it at
 * the quantile (stochastic approximation).
 */
const QUANTILE = 0.75;
const STEP = 0.1;
/** After a batch that differs by less than this share, by correspondingly less: constant times are learned exactly. */
const FULL_STEP_FROM = 0.1;

/** c(b): the time of a batch of b rows on one device, ms; measured at load and updated by every batch. */
export class LatencyModel {
  /** The time of a batch of each known size, ms, ascending. */
  readonly #ms: Float64Array;
  /** c(b) by b, up to the largest batch; empty if it has to be computed again. */
  #table: Float64Array | undefined;

  /**
   * `measured`: milliseconds by batch size, at least one. A smaller batch never counts as slower than a larger one:
   * otherwise a size that once seemed slow would never be tried again.
   */
  constructor(measured: ReadonlyMap<number, number>) {
    const points = [...measured].map(([rows, ms]) => ({ rows, ms })).sort((a, b) => a.rows - b.rows);
    for (let i = points.length - 2; i >= 0; i--) {
      const [point, larger] = [points[i] as LatencyPoint, points[i + 1] as LatencyPoint];
      point.ms = Math.min(point.ms, larger.ms);
    }
    this.#ms = Float64Array.from(knownSizes, (rows) => interpolate(points, rows));
  }

  predict(rows: number): number {
    if (rows > largestBatch) return (this.predict(largestBatch) * rows) / largestBatch;
    this.#table ??= this.#tabulate();
    return this.#table[rows] as number;
  }

  observe(rows: number, ms: number): void {
    const error = ms / this.predict(rows) - 1;
    const size = Math.min(1, Math.abs(error) / FULL_STEP_FROM);
    const move = 1 + STEP * size * (error > 0 ? QUANTILE : QUANTILE - 1);
    const right = placeOf(rows);
    const [below, above] = [knownSizes[right - 1], knownSizes[right] as number];
    const share = below === undefined || rows > above ? 1 : (rows - below) / (above - below);
    this.#ms[right]! *= move ** share;
    if (share < 1) this.#ms[right - 1]! *= move ** (1 - share);
    this.#keepOrder(share < 1 ? right - 1 : right, right);
    this.#table = undefined;
  }

  /** Batches of larger sizes than `to` take at least as long as it, those of smaller ones than `from` at most. */
  #keepOrder(from: number, to: number): void {
    const ms = this.#ms;
    if (from < to) ms[to] = Math.max(ms[to]!, ms[from]!);
    for (let i = to + 1; i < ms.length; i++) ms[i] = Math.max(ms[i]!, ms[to]!);
    for (let i = from - 1; i >= 0; i--) ms[i] = Math.min(ms[i]!, ms[from]!);
  }

  /** Linear between known sizes. */
  #tabulate(): Float64Array {
    const table = new Float64Array(largestBatch + 1);
    for (let place = 1; place < knownSizes.length; place++) {
      const [left, right] = [knownSizes[place - 1] as number, knownSizes[place] as number];
      const slope = (this.#ms[place]! - this.#ms[place - 1]!) / (right - left);
      for (let rows = left; rows <= right; rows++) table[rows] = this.#ms[place - 1]! + slope * (rows - left);
    }
    table[0] = table[1]!;
    return table;
  }
}

interface LatencyPoint {
  rows: number;
  ms: number;
}

/** The first known size of at least `rows`, or the last. */
function placeOf(rows: number): number {
  const place = knownSizes.findIndex((size) => size >= rows);
  return place < 0 ? knownSizes.length - 1 : place;
}

/** Linear between the points, constant before the first, and proportional beyond the last. */
function interpolate(points: readonly LatencyPoint[], rows: number): number {
  const right = points.find((point) => point.rows >= rows);
  const left = points.findLast((point) => point.rows <= rows);
  if (right === undefined) return ((left?.ms ?? 0) * rows) / (left?.rows ?? 1);
  if (left === undefined || left === right) return right.ms;
  return left.ms + ((right.ms - left.ms) * (rows - left.rows)) / (right.rows - left.rows);
}
