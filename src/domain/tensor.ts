/** Plain tensors, as passed between rooms and stored, without a runtime's handle. */
export type Dtype = 'float32' | 'int32' | 'int64' | 'uint8' | 'bool';

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
