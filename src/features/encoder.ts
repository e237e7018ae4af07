import { firstRows } from '../domain/table.ts';
import type { RawInput } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import { BadData } from '../errors/errors.ts';
import type { Truth } from './columns/column-targets.ts';

/** Rows that are encoded once and batched many times, for training. */
export interface EncodedRows {
  readonly count: number;
  /** Length of a row: batches of similar length need the least padding. */
  length(row: number): number;
  /** The model's inputs for the given rows, padded to the longest of them. */
  batch(indexes: Int32Array): Record<string, TensorData>;
}

/** Encodes raw values to a model's inputs, from fitted features; stateless between calls. */
export interface Encoder {
  prepare(inputs: readonly RawInput[]): EncodedRows | Promise<EncodedRows>;
  /** Rows that are trained on, if some of their features are made of right answers: each row's then are those of other rows. */
  prepareTraining?(inputs: readonly RawInput[], truth: Truth): EncodedRows;
  /** All rows as one batch, for serving. */
  encode(inputs: readonly RawInput[]): Record<string, TensorData> | Promise<Record<string, TensorData>>;
}

/** Encodes texts synchronously: they need no decoding. */
export interface RowEncoder extends Encoder {
  prepare(inputs: readonly RawInput[]): EncodedRows;
  encode(inputs: readonly RawInput[]): Record<string, TensorData>;
}

/** An encoder whose `encode` takes all prepared rows, as serving does. */
export const rowEncoder = (prepare: (inputs: readonly RawInput[]) => EncodedRows): RowEncoder => ({
  prepare,
  encode: (inputs) => prepare(inputs).batch(firstRows(inputs.length)),
});

/** Checks inputs of a model that reads texts. Throws BadData. */
export function textsOf(inputs: readonly RawInput[]): readonly string[] {
  if (inputs.every((input) => typeof input === 'string')) return inputs;
  throw new BadData('the model reads texts, but the input is bytes', {
    hint: 'Use a column of type text, or an image task.',
  });
}

/** Checks inputs of a model that reads image files. Throws BadData. */
export function filesOf(inputs: readonly RawInput[]): readonly Uint8Array[] {
  if (inputs.every((input) => input instanceof Uint8Array)) return inputs;
  throw new BadData('the model reads images, but the input is text', {
    hint: 'Use a column of type bytea with whole image files, or a text task.',
  });
}
