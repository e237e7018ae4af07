import type { TensorData } from '../domain/tensor.ts';

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
  prepare(texts: readonly string[]): EncodedRows;
  /** All texts as one batch: what serving calls. */
  encode(texts: readonly string[]): Record<string, TensorData>;
}
