import type { Slope } from './marginal-likelihood.ts';

/** Gradient steps, which take most of the time of a proposal. */
const STEPS = 20;
const FIRST_STEP = 0.3;
const MAX_STEP = 1;

export interface Coordinate {
  /** Where the ascent begins. */
  mean: number;
  low: number;
  high: number;
}

/**
 * Gradient ascent by signs only, with a step size per direction that grows while the sign remains the same (Rprop; for
 * Gaussian processes Blum and Riedmiller 2013): without line search, so the time is constant. Returns the best point.
 */
export function ascend(coordinates: readonly Coordinate[], at: (theta: Float64Array) => Slope): Float64Array {
  const theta = Float64Array.from(coordinates, ({ mean }) => mean);
  const steps = new Float64Array(theta.length).fill(FIRST_STEP);
  const last = new Float64Array(theta.length);
  let best = { theta: theta.slice(), value: Number.NEGATIVE_INFINITY };
  for (let step = 0; step < STEPS; step++) {
    const { value, gradient } = at(theta);
    if (value > best.value) best = { theta: theta.slice(), value };
    for (const [i, { low, high }] of coordinates.entries()) {
      const sign = Math.sign(gradient[i] as number);
      steps[i] = Math.min(MAX_STEP, (steps[i] as number) * (sign * (last[i] as number) < 0 ? 0.5 : 1.2));
      last[i] = sign;
      theta[i] = Math.min(high, Math.max(low, (theta[i] as number) + sign * (steps[i] as number)));
    }
  }
  return best.theta;
}
