import erfcx from '@stdlib/math-base-special-erfcx';
import erfinv from '@stdlib/math-base-special-erfinv';

/** log √(2π) */
export const LOG_SQRT_2PI = Math.log(2 * Math.PI) / 2;

/** Density of the standard normal distribution. */
export const density = (z: number): number => Math.exp(-0.5 * z * z - LOG_SQRT_2PI);

/** Φ(z), exact to the last digits in both tails: Φ(z) = ½ erfcx(−z/√2) exp(−z²/2) for z ≤ 0. */
export const cumulative = (z: number): number => (z <= 0 ? lowerTail(z) : 1 - lowerTail(-z));

/** Φ⁻¹(p) for p in (0, 1). */
export const quantile = (p: number): number => Math.SQRT2 * erfinv(2 * p - 1);

const lowerTail = (z: number): number => 0.5 * erfcx(-z * Math.SQRT1_2) * Math.exp(-0.5 * z * z);
