import { ascend, type Coordinate } from './ascend.ts';
import type { Embedding } from './embedding.ts';
import type { Hyperparameters, Samples } from './gaussian-process.ts';
import { marginalLikelihood, type Slope } from './marginal-likelihood.ts';

interface Prior extends Coordinate {
  deviation: number;
}

/** Prior of the log noise, as a share of the signal: validation scores are rarely exact. */
function noisePrior(min: number): Prior {
  const low = Math.log(Math.max(1e-6, min));
  return { mean: Math.max(-6, low), deviation: 2, low, high: Math.max(0, low) };
}

/**
 * Prior of log ℓ: half an axis, more with more knobs, because each then matters less (Hvarfner et al. 2024, section 4).
 */
const lengthPrior = (scales: number): Prior => ({
  mean: Math.log(0.5) + Math.log(scales) / 2,
  deviation: 1.5,
  low: Math.log(0.01),
  high: Math.log(100),
});

/**
 * Length scales and noise with the highest posterior probability: marginal likelihood times prior. `minNoise`: the
 * known minimum, as a share of the signal's variance.
 */
export function fitHyperparameters(samples: Samples, { scaleOf, scales }: Embedding, minNoise = 0): Hyperparameters {
  const priors = [...Array.from({ length: scales }, () => lengthPrior(scales)), noisePrior(minNoise)];
  const likelihood = marginalLikelihood(samples, scaleOf, scales);
  const theta = ascend(priors, (at) => {
    const { value, gradient } = likelihood(at);
    return priors.reduce(
      (slope: Slope, { mean, deviation }, i) => {
        const z = ((at[i] as number) - mean) / deviation;
        slope.gradient[i]! -= z / deviation;
        return { value: slope.value - (z * z) / 2, gradient: slope.gradient };
      },
      { value, gradient },
    );
  });
  return {
    lengths: Float64Array.from(scaleOf, (scale) => Math.exp(theta[scale] as number)),
    noise: Math.exp(theta[scales] as number),
  };
}
