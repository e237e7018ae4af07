import type { RawInput } from '../../../src/domain/task.ts';
import type { TrainedModel } from '../../../src/domain/training.ts';
import { Embedder } from '../../../src/encoders/embedder.ts';
import type { KnownVectors } from '../../../src/encoders/tuned/check-trainable.ts';

const texts = ['alpha', 'alpha beta gamma w1 delta', 'theta kappa', 'a great film'];

/** What an encoder, by default one of texts, makes of inputs as it is. */
export async function knownVectors(model: TrainedModel, inputs: readonly RawInput[] = texts): Promise<KnownVectors> {
  const embedder = await Embedder.load(model, { threads: 1 });
  try {
    return { inputs, vectors: (await embedder.embed(inputs)) ?? new Float32Array(0) };
  } finally {
    await embedder.release();
  }
}
