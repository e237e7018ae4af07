import { factorOf, unwhiten, whiten } from './factor.ts';
import type { Samples } from './gaussian-process.ts';
import { matern, maternSlope } from './matern.ts';

/** A function's value and gradient. */
export interface Slope {
  value: number;
  gradient: Float64Array;
}

/**
 * log p(y | X) up to a constant, in θ = (log ℓ of each length scale, log noise), the signal's variance at its best:
 * −n/2 log(yᵀA⁻¹y / n) − ½ log |A|, A = K + noise I. Gradient: ½ Σ_ij (β_i β_j / s² − A⁻¹_ij) ∂A_ij/∂θ, β = A⁻¹y
 * (Rasmussen and Williams 2006, equation 5.9). The distances do not depend on θ and are computed once.
 */
export function marginalLikelihood(
  { x, y }: Samples,
  scaleOf: Int32Array,
  scales: number,
): (theta: Float64Array) => Slope {
  const n = x.length;
  const squares = squaresOf(x, scaleOf, scales);

  return (theta) => {
    const inverseSquares = Float64Array.from({ length: scales }, (_, s) => Math.exp(-2 * (theta[s] as number)));
    const noise = Math.exp(theta[scales] as number);
    const r2 = new Float64Array(squares.length / scales);
    for (let pair = 0; pair < r2.length; pair++) {
      for (let s = 0; s < scales; s++) {
        r2[pair]! += (squares[pair * scales + s] as number) * (inverseSquares[s] as number);
      }
    }
    const factor = factorOf(n, noise, (i, j) => (i === j ? 1 : matern(r2[pairOf(i, j)] as number)));
    const white = whiten(factor, y);
    const signal = Math.max(white.reduce((sum, each) => sum + each * each, 0) / n, Number.MIN_VALUE);
    const beta = unwhiten(factor, white);
    const inverse = inverseOf(factor.inverse);

    const gradient = new Float64Array(scales + 1);
    for (let i = 0; i < n; i++) {
      const row = inverse[i] as Float64Array;
      const share = (beta[i] as number) / signal;
      gradient[scales]! += 0.5 * (share * (beta[i] as number) - (row[i] as number)) * noise;
      for (let j = 0; j < i; j++) {
        const pair = pairOf(i, j);
        const weight = share * (beta[j] as number) - (row[j] as number);
        const slope = weight * maternSlope(r2[pair] as number); // both (i, j) and (j, i)
        for (let s = 0; s < scales; s++) {
          gradient[s]! += slope * (squares[pair * scales + s] as number) * (inverseSquares[s] as number);
        }
      }
    }
    return { value: -(n / 2) * Math.log(signal) - factor.logDeterminant, gradient };
  };
}

/** Index of the pair (i, j), j < i. */
const pairOf = (i: number, j: number): number => (i * (i - 1)) / 2 + j;

/** Squared distance of every pair, summed over the columns of each length scale. */
function squaresOf(x: readonly Float64Array[], scaleOf: Int32Array, scales: number): Float64Array {
  const squares = new Float64Array(((x.length * (x.length - 1)) / 2) * scales);
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < i; j++) {
      for (let d = 0; d < scaleOf.length; d++) {
        const delta = ((x[i] as Float64Array)[d] as number) - ((x[j] as Float64Array)[d] as number);
        squares[pairOf(i, j) * scales + (scaleOf[d] as number)]! += delta * delta;
      }
    }
  }
  return squares;
}

/** A⁻¹ = L⁻ᵀ L⁻¹, its lower triangle. */
function inverseOf(factor: readonly Float64Array[]): readonly Float64Array[] {
  const inverse = factor.map((row) => new Float64Array(row.length));
  for (const [k, row] of factor.entries()) {
    for (let i = 0; i <= k; i++) {
      const value = row[i] as number;
      const into = inverse[i] as Float64Array;
      for (let j = 0; j <= i; j++) into[j]! += value * (row[j] as number);
    }
  }
  return inverse;
}
