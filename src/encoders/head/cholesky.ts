/**
 * The inverse of the lower Cholesky factor of a symmetric matrix [n, n], transposed: T with Tᵀ·M·T = 1. `jitter` is added to the diagonal, so that
 * equal rows do not make the matrix singular. Returns [n, n], float32.
 */
export function whiteningOf(matrix: Float32Array, n: number, jitter: number): Float32Array {
  const factor = factorOf(matrix, n, jitter);
  const inverse = new Float64Array(n * n); // lower, too
  for (let row = 0; row < n; row++) {
    const own = row * n;
    const diagonal = factor[own + row] as number;
    const sums = new Float64Array(row);
    for (let k = 0; k < row; k++) {
      const weight = factor[own + k] as number;
      for (let column = 0; column <= k; column++) sums[column]! += weight * (inverse[k * n + column] as number);
    }
    for (let column = 0; column < row; column++) inverse[own + column] = -(sums[column] as number) / diagonal;
    inverse[own + row] = 1 / diagonal;
  }
  const transposed = new Float32Array(n * n);
  for (let row = 0; row < n; row++)
    for (let column = 0; column <= row; column++) transposed[column * n + row] = inverse[row * n + column] as number;
  return transposed;
}

/** L with L·Lᵀ = M + jitter·1, by rows: inner products of rows are contiguous. */
function factorOf(matrix: Float32Array, n: number, jitter: number): Float64Array {
  const factor = new Float64Array(n * n);
  for (let row = 0; row < n; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = (matrix[row * n + column] as number) + (row === column ? jitter : 0);
      const [a, b] = [row * n, column * n];
      for (let k = 0; k < column; k++) sum -= (factor[a + k] as number) * (factor[b + k] as number);
      factor[a + column] = row === column ? Math.sqrt(Math.max(sum, jitter)) : sum / (factor[b + column] as number);
    }
  }
  return factor;
}
