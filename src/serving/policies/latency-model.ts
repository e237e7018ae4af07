/** Batch sizes measured at load. */
export const measuredSizes = [1, 4, 16, 17, 64, 65, 256] as const;
export const largestBatch = 256;
/** Sizes that are worth comparing, two per doubling. */
export const comparedSizes = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256] as const;
/** Devices pad batches to multiples of this: one row more may take as long as so many. */
const PADDED_ROWS = 16;
/**
 * Sizes at which c(b) is known: the compared ones, and one row more where a device may pad. Between them it is
 * interpolated. Those that were not measured at load are measured by the batches that run: most precisely where there is
 * traffic.
 */
const knownSizes = comparedSizes.flatMap((size) =>
  size % PADDED_ROWS === 0 && size < largestBatch ? [size, size + 1] : [size],
);

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

  /** Linear between known sizes, and proportional beyond the last. */
  predict(rows: number): number {
    if (rows > largestBatch) return (this.#ms[knownSizes.length - 1]! * rows) / largestBatch;
    const share = shareOf[rows]!;
    const right = this.#ms[placeOf[rows]!]!;
    if (share === 1) return right;
    const left = this.#ms[placeOf[rows]! - 1]!;
    return Math.min(right, left + share * (right - left)); // in this form never below a smaller batch, by rounding
  }

  observe(rows: number, ms: number): void {
    const error = ms / this.predict(rows) - 1;
    const size = Math.min(1, Math.abs(error) / FULL_STEP_FROM);
    const move = 1 + STEP * size * (error > 0 ? QUANTILE : QUANTILE - 1);
    const right = placeOf[Math.min(rows, largestBatch)]!;
    const share = shareOf[Math.min(rows, largestBatch)]!;
    this.#ms[right]! *= move ** share;
    if (share < 1) this.#ms[right - 1]! *= move ** (1 - share);
    this.#keepOrder(share < 1 ? right - 1 : right, right);
  }

  /** Batches of larger sizes than `to` take at least as long as it, those of smaller ones than `from` at most. */
  #keepOrder(from: number, to: number): void {
    const ms = this.#ms;
    if (from < to) ms[to] = Math.max(ms[to]!, ms[from]!);
    for (let i = to + 1; i < ms.length; i++) ms[i] = Math.max(ms[i]!, ms[to]!);
    for (let i = from - 1; i >= 0; i--) ms[i] = Math.min(ms[i]!, ms[from]!);
  }
}

interface LatencyPoint {
  rows: number;
  ms: number;
}

/** By rows, up to the largest batch: the place of the first known size that is not smaller. */
const placeOf = Uint8Array.from({ length: largestBatch + 1 }, (_, rows) =>
  knownSizes.findIndex((size) => size >= rows),
);
/** By rows: how far they are from the known size before that one to it; 1 if they are that one. */
const shareOf = Float64Array.from(placeOf, (place, rows) => {
  const [left = 0, right = 1] = [knownSizes[place - 1], knownSizes[place]];
  return place === 0 ? 1 : (rows - left) / (right - left);
});

/** Linear between the points, constant before the first, and proportional beyond the last. */
function interpolate(points: readonly LatencyPoint[], rows: number): number {
  const right = points.find((point) => point.rows >= rows);
  const left = points.findLast((point) => point.rows <= rows);
  if (right === undefined) return ((left?.ms ?? 0) * rows) / (left?.rows ?? 1);
  if (left === undefined || left === right) return right.ms;
  return left.ms + ((right.ms - left.ms) * (rows - left.rows)) / (right.rows - left.rows);
}
