import { standardOf } from '../head/fit-map.ts';
import { type HeadTask, HeadTrainer } from '../head/head-trainer.ts';

/** Iterations of L-BFGS: its loss then hardly falls any more. */
const ITERATIONS = 60;

/** Weights of a linear layer, [width, outputs] and [outputs]. */
export interface LinearLayer {
  w: Float32Array;
  b: Float32Array;
}

/**
 * The linear layer that answers best from vectors as they are. With it in place of random numbers, training does not first distort the
 * encoder to fit a layer that knows nothing (Kumar et al. 2022). Its penalty is for numbers of mean 0 and variance 1 / width, as those of a
 * head with the normalisation `standard`.
 */
export async function linearStart(task: Omit<HeadTask, 'settings'>): Promise<LinearLayer> {
  const { vectors, outputs } = task;
  const { mean, scale } = standardOf(vectors);
  const data = vectors.data.map((value, i) => (value - mean[i % vectors.width]!) * scale[i % vectors.width]!);
  const trainer = await HeadTrainer.create({
    ...{ ...task, vectors: { ...vectors, data } },
    settings: { kernel: 'linear', normalisation: 'none', gamma: 1, degree: 1, landmarks: 1 },
  });
  try {
    for (let i = 0; i < ITERATIONS; i++) await trainer.iterate();
    const { w, b } = trainer.weights;
    const scaled = w.map((weight, i) => weight * scale[Math.floor(i / outputs)]!);
    const shifted = b.map((bias, output) => mean.reduce((sum, m, i) => sum - m * scaled[i * outputs + output]!, bias));
    return { w: scaled, b: shifted };
  } finally {
    await trainer.release();
  }
}
