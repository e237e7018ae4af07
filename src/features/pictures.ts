import type { RawInput } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import { type EncodedRows, type Encoder, filesOf } from './encoder.ts';
import { inGroups, type Picture } from './images.ts';

/** How an encoder of whole images decodes a file, and makes a batch of what it has decoded. */
export interface PictureEncoding {
  decode(file: Uint8Array): Promise<Picture>;
  batch(pictures: readonly Picture[]): Record<string, TensorData>;
}

/** Encodes image files whose pictures are decoded once and batched many times. */
export function createPictureEncoder({ decode, batch }: PictureEncoding): Encoder {
  const decoded = (inputs: readonly RawInput[]): Promise<Picture[]> => inGroups(filesOf(inputs), decode);
  return {
    async prepare(inputs): Promise<EncodedRows> {
      const pictures = await decoded(inputs);
      return {
        count: pictures.length,
        length: () => 1, // all squares are of one size
        batch: (indexes) => batch(Array.from(indexes, (row) => pictures[row] as Picture)),
      };
    },
    encode: async (inputs) => batch(await decoded(inputs)),
  };
}
