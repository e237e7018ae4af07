import type { TensorData } from '../domain/tensor.ts';
import { CorruptParams } from '../errors/errors.ts';
import { computing } from './computing.ts';
import { createSession } from './session.ts';

/** A loaded model. */
export interface LoadedModel {
  /** Probabilities [N, classes] for N rows. */
  run(feeds: Readonly<Record<string, TensorData>>): Promise<TensorData>;
  release(): Promise<void>;
}

/**
 * Loads an exported ONNX file; the caller must release it. A long-lived session keeps no memory between runs: an image
 * network would keep more memory than its weights need, and batches of 16 rows are as fast without.
 */
export async function loadModel(
  onnx: Uint8Array,
  { threads, longLived = false }: { threads: number; longLived?: boolean },
): Promise<LoadedModel> {
  const session = await createSession(onnx, threads, computing().device, { longLived });
  return {
    async run(feeds) {
      const [output] = Object.values(await session.run(feeds));
      if (output === undefined) {
        throw new CorruptParams('the model has no output', {
          hint: 'Train the model again, or deploy another version.',
        });
      }
      return output;
    },
    release: () => session.release(),
  };
}
