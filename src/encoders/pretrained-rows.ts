import { firstRows } from '../domain/table.ts';
import type { RawInput } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { EncodedRows, Encoder } from '../features/encoder.ts';

/** The input of a model that stands on an encoder: [rows, width], float32. */
export const EMBEDDING = 'embedding';

/** Vectors of rows, as batches of a model's input. */
export function vectorRows(vectors: Float32Array, count: number): EncodedRows {
  const width = count === 0 ? 0 : vectors.length / count;
  return {
    count,
    length: () => 1,
    batch(indexes) {
      const data = new Float32Array(indexes.length * width);
      for (const [i, row] of indexes.entries()) data.set(vectors.subarray(row * width, (row + 1) * width), i * width);
      return { [EMBEDDING]: { dtype: 'float32', shape: [indexes.length, width], data } };
    },
  };
}

/** An encoder of a model's features that asks `embed` for vectors. */
export function pretrainedEncoder(embed: (inputs: readonly RawInput[]) => Promise<Float32Array | null>): Encoder {
  const prepare = async (inputs: readonly RawInput[]): Promise<EncodedRows> =>
    vectorRows((await embed(inputs)) ?? new Float32Array(0), inputs.length);
  return {
    prepare,
    async encode(inputs): Promise<Record<string, TensorData>> {
      return (await prepare(inputs)).batch(firstRows(inputs.length));
    },
  };
}
