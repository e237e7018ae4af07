import type { TensorData } from '../domain/tensor.ts';
import { CorruptParams } from '../errors/errors.ts';

/** How an encoder's output becomes a vector: it is one; the mean of those of a text's tokens or an image's pixels; or that of the first token. */
export const poolings = ['output', 'mean', 'cls'] as const;
export type Pooling = (typeof poolings)[number];

export const isPooling = (value: unknown): value is Pooling => poolings.some((name) => name === value);

/**
 * The vectors of a batch, [rows, width], from [rows, width], or [rows, T, width] with the mask of tokens that are no padding, or [rows, width,
 * height, width of an image], whose pixels have channels first.
 */
export function pooled(output: TensorData, pooling: Pooling, rows: number, mask: TensorData | undefined): Float32Array {
  const { data, shape } = output;
  if (data instanceof Float32Array && shape[0] === rows && shape.length === 4 && pooling !== 'cls')
    return meansOfPixels(data, rows * (shape[1] ?? 0));
  if (!(data instanceof Float32Array) || shape[0] !== rows || shape.length !== (pooling === 'output' ? 2 : 3))
    throw noVectors(shape, pooling, rows);
  if (pooling === 'output') return data;
  const [, length = 0, width = 0] = shape;
  const vectors = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const vector = vectors.subarray(row * width, (row + 1) * width);
    let count = 0;
    for (let token = 0; token < (pooling === 'cls' ? 1 : length); token++) {
      if (pooling === 'mean' && mask !== undefined && Number(mask.data[row * length + token]) === 0) continue;
      const from = (row * length + token) * width;
      for (let i = 0; i < width; i++) vector[i]! += data[from + i] as number;
      count++;
    }
    for (let i = 0; i < width; i++) vector[i]! /= Math.max(1, count);
  }
  return vectors;
}

/** Of planes one after the other. */
function meansOfPixels(data: Float32Array, planes: number): Float32Array {
  const size = data.length / planes;
  return Float32Array.from({ length: planes }, (_, plane) => {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += data[plane * size + i] as number;
    return sum / size;
  });
}

const noVectors = (shape: readonly number[], pooling: Pooling, rows: number): CorruptParams =>
  new CorruptParams('the encoder does not answer with a vector for each input', {
    detail: `Its answer for ${rows} inputs has the shape [${shape.join(', ')}], and the pooling is ${pooling}.`,
    hint: 'Add it with another --pooling: output reads [rows, width], mean and cls read [rows, tokens, width], mean also [rows, width, height, width].',
  });
