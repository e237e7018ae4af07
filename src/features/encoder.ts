import type { RawInput } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import { BadData } from '../errors/errors.ts';

/** Rows encoded once and cut into batches many times, as training does. */
export interface EncodedRows {
  readonly count: number;
  /** How long a row is: batches of rows alike in length waste least on padding. */
  length(row: number): number;
  /** Inputs of the model for the rows named, padded to the longest of them. */
  batch(indexes: Int32Array): Record<string, TensorData>;
}

/** Raw values → a model's inputs; made from fitted features, keeps nothing from call to call. */
export interface Encoder {
  prepare(inputs: readonly RawInput[]): EncodedRows | Promise<EncodedRows>;
  /** All of them as one batch: what serving calls. */
  encode(inputs: readonly RawInput[]): Record<string, TensorData> | Promise<Record<string, TensorData>>;
}

/** Texts need no decoding: their rows are there at once. */
export interface RowEncoder extends Encoder {
  prepare(inputs: readonly RawInput[]): EncodedRows;
  encode(inputs: readonly RawInput[]): Record<string, TensorData>;
}

/** Serving takes all rows that are prepared. */
export const rowEncoder = (prepare: (inputs: readonly RawInput[]) => EncodedRows): RowEncoder => ({
  prepare,
  encode: (inputs) => prepare(inputs).batch(Int32Array.from(inputs, (_, i) => i)),
});

/** The inputs of a model that reads texts. */
export function textsOf(inputs: readonly RawInput[]): readonly string[] {
  if (inputs.every((input) => typeof input === 'string')) return inputs;
  throw new BadData('the model reads texts and was given bytes', {
    hint: 'Name a column of type text, or a task that reads images.',
  });
}

/** The inputs of a model that reads image files. */
export function filesOf(inputs: readonly RawInput[]): readonly Uint8Array[] {
  if (inputs.every((input) => typeof input !== 'string')) return inputs;
  throw new BadData('the model reads images and was given text', {
    hint: 'Name a column of type bytea with whole image files, or a task that reads texts.',
  });
}
