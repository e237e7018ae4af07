/** Rows of few entries: row i has the columns `ids[k]` with the values `weights[k]`, k from `offsets[i]` to before `offsets[i + 1]`. */
export interface SparseRows {
  readonly count: number;
  readonly offsets: Int32Array;
  readonly ids: Int32Array;
  readonly weights: Float32Array;
}

/** The row of a model's matrix that is added to each score; no column has its number. */
export const BIAS = 0;

/** Scores of all rows, [rows, width] into `scores`: the bias and X·W; W is [columns, width] with {@link BIAS} as its first row. */
export function multiply(rows: SparseRows, w: Float32Array | Float64Array, width: number, scores: Float64Array): void {
  const { count, offsets, ids, weights } = rows;
  if (width === 1) {
    multiplyOne(rows, w, scores);
    return;
  }
  for (let row = 0; row < count; row++) {
    const at = row * width;
    for (let k = 0; k < width; k++) scores[at + k] = w[k] as number;
    const end = offsets[row + 1] as number;
    for (let i = offsets[row] as number; i < end; i++) {
      const from = (ids[i] as number) * width;
      const x = weights[i] as number;
      for (let k = 0; k < width; k++) scores[at + k]! += x * (w[from + k] as number);
    }
  }
}

function multiplyOne({ count, offsets, ids, weights }: SparseRows, w: ArrayLike<number>, scores: Float64Array): void {
  for (let row = 0; row < count; row++) {
    let sum = w[BIAS] as number;
    const end = offsets[row + 1] as number;
    for (let i = offsets[row] as number; i < end; i++) sum += (weights[i] as number) * (w[ids[i] as number] as number);
    scores[row] = sum;
  }
}

/** Adds Xᵀ·S to `sums`, [columns, width], and the sums of S to its first row; S is [rows, width]. */
export function multiplyTransposed(rows: SparseRows, s: Float64Array, width: number, sums: Float64Array): void {
  const { count, offsets, ids, weights } = rows;
  if (width === 1) {
    multiplyOneTransposed(rows, s, sums);
    return;
  }
  for (let row = 0; row < count; row++) {
    const at = row * width;
    for (let k = 0; k < width; k++) sums[k]! += s[at + k] as number;
    const end = offsets[row + 1] as number;
    for (let i = offsets[row] as number; i < end; i++) {
      const to = (ids[i] as number) * width;
      const x = weights[i] as number;
      for (let k = 0; k < width; k++) sums[to + k]! += x * (s[at + k] as number);
    }
  }
}

function multiplyOneTransposed(
  { count, offsets, ids, weights }: SparseRows,
  s: Float64Array,
  sums: Float64Array,
): void {
  for (let row = 0; row < count; row++) {
    const slope = s[row] as number;
    if (slope === 0) continue; // of the squared hinge most are
    sums[BIAS]! += slope;
    const end = offsets[row + 1] as number;
    for (let i = offsets[row] as number; i < end; i++) sums[ids[i] as number]! += slope * (weights[i] as number);
  }
}

/** The rows for which `keeps` is true, and their numbers. */
export function someRows(
  { count, offsets, ids, weights }: SparseRows,
  keeps: (row: number) => boolean,
): { rows: SparseRows; numbers: Int32Array } {
  const numbers = Int32Array.from({ length: count }, (_, row) => row).filter(keeps);
  const lengths = numbers.map((row) => (offsets[row + 1] as number) - (offsets[row] as number));
  const starts = new Int32Array(numbers.length + 1);
  for (const [i, length] of lengths.entries()) starts[i + 1] = (starts[i] as number) + length;
  const total = starts[numbers.length] as number;
  const kept = { ids: new Int32Array(total), weights: new Float32Array(total) };
  for (const [i, row] of numbers.entries()) {
    kept.ids.set(ids.subarray(offsets[row], offsets[row + 1]), starts[i]);
    kept.weights.set(weights.subarray(offsets[row], offsets[row + 1]), starts[i]);
  }
  return { rows: { count: numbers.length, offsets: starts, ...kept }, numbers };
}
