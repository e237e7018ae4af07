/** Plain tensors, as passed between rooms and stored, without a runtime's handle. */
export type Dtype = 'float32' | 'int32' | 'int64' | 'uint8' | 'bool';

/**
 * Of a tensor that is stored: it is one value of Postgres, which pg_dump writes as a text of two characters a byte, and no text there has more than a
 * gigabyte. One above 511 MB would make every dump of its database fail.
 */
export const MAX_STORED_TENSOR_BYTES = 500 * 2 ** 20;

export interface TensorData {
  dtype: Dtype;
  /** Row-major dimensions; `[]` is a scalar. */
  shape: number[];
  data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
}

/** Named tensors and other data: a checkpoint, or a trained model. */
export interface ParamSet {
  tensors: Record<string, TensorData>;
  meta: Record<string, unknown>;
}
