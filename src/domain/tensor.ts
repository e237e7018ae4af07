/** Plain tensors as they travel between rooms and are stored: no runtime handle inside. */
export type Dtype = 'float32' | 'int32' | 'int64' | 'uint8' | 'bool';

export interface TensorData {
  dtype: Dtype;
  /** Row-major dimensions; `[]` is a scalar. */
  shape: number[];
  data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
}

/** A named set of tensors plus what is not a tensor: a checkpoint, or a trained model. */
export interface ParamSet {
  tensors: Record<string, TensorData>;
  meta: Record<string, unknown>;
}
