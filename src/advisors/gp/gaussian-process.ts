import { factorOf, unwhiten, whiten } from './factor.ts';
import { matern } from './matern.ts';

/** Training data of a Gaussian process: vectors and their values, which have mean 0. */
export interface Samples {
  x: readonly Float64Array[];
  y: Float64Array;
}

export interface Hyperparameters {
  /** Length scale of each column. */
  lengths: Float64Array;
  /** Variance of the noise, as a share of the signal's. */
  noise: number;
}

/** The process's prediction for a vector. */
export interface Prediction {
  mean: number;
  /** Standard deviation of the function's value, without noise. */
  deviation: number;
}

export type Posterior = (x: Float64Array) => Prediction;

/** Deviations below this are rounding errors of 1 − |L⁻¹k|². */
const MIN_VARIANCE = 1e-10;

/**
 * The posterior of a Gaussian process with a Matérn 5/2 kernel (Rasmussen and Williams 2006, algorithm 2.1); the
 * signal's variance is the one with the highest likelihood, yᵀ(K + noise I)⁻¹y / n. `pending`: vectors whose values are
 * unknown. If the mean is assumed as their value, the mean does not change, but the deviation near them does
 * (Ginsbourger et al. 2010).
 */
export function posterior(samples: Samples, hyper: Hyperparameters, pending: readonly Float64Array[] = []): Posterior {
  const { lengths } = hyper;
  const observed = kernelFactor(samples.x, hyper);
  const white = whiten(observed.factor, samples.y);
  const signal = Math.max(dot(white, white) / samples.y.length, Number.MIN_VALUE);
  const weights = unwhiten(observed.factor, white);
  const all = pending.length === 0 ? observed : kernelFactor([...samples.x, ...pending], hyper);
  return (x) => {
    const scaled = divide(x, lengths);
    const k = new Float64Array(all.scaled.length); // filled by hand: from() with a function takes several times as long
    for (let i = 0; i < k.length; i++) k[i] = matern(distance2(scaled, all.scaled[i] as Float64Array));
    const v = whiten(all.factor, k);
    const variance = Math.max(1 - dot(v, v), MIN_VARIANCE);
    return { mean: dot(weights, k), deviation: Math.sqrt(signal * variance) };
  };
}

/** The factor of the kernel matrix, and the points scaled by the length scales. */
function kernelFactor(x: readonly Float64Array[], { lengths, noise }: Hyperparameters) {
  const scaled = x.map((point) => divide(point, lengths));
  const kernel = (i: number, j: number): number =>
    matern(distance2(scaled[i] as Float64Array, scaled[j] as Float64Array));
  return { scaled, factor: factorOf(x.length, noise, kernel) };
}

const divide = (x: Float64Array, by: Float64Array): Float64Array => x.map((value, d) => value / (by[d] as number));

function distance2(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) {
    const delta = (a[d] as number) - (b[d] as number);
    sum += delta * delta;
  }
  return sum;
}

/** Over the length of the first argument. */
function dot(a: Float64Array, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
