import erfcx from '@stdlib/math-base-special-erfcx';
import { cumulative, density, LOG_SQRT_2PI } from '../normal.ts';
import type { Prediction } from './gaussian-process.ts';

/**
 * log E[max(0, f − best)] for a normal f: log σ + log(φ(z) + z Φ(z)), z = (mean − best) / σ. Candidates remain
 * comparable where the sum underflows (Ament et al. 2023, "Unexpected Improvements to Expected Improvement", equation 9).
 */
export function logExpectedImprovement({ mean, deviation }: Prediction, best: number): number {
  return Math.log(deviation) + logGain((mean - best) / deviation);
}

/** log(φ(z) + z Φ(z)); for z < −1 as log φ(z) + log(1 − |z| √(π/2) erfcx(|z|/√2)), for large |z| by its series 1/z². */
function logGain(z: number): number {
  if (z > -1) return Math.log(density(z) + z * cumulative(z));
  const logDensity = -0.5 * z * z - LOG_SQRT_2PI;
  if (z < -1e4) return logDensity - 2 * Math.log(-z);
  return logDensity + Math.log(Math.max(1 + z * Math.sqrt(Math.PI / 2) * erfcx(-z * Math.SQRT1_2), 1 / (z * z + 3)));
}
