import type { TensorData } from '../../domain/tensor.ts';
import type { Constant } from '../../graph/graph.ts';
import type { Tensor, TensorFlow } from './call.ts';

/** The maximum of TensorFlow.js's only integer type; larger bounds such as 2⁵³ − 1 mean "to the end". */
const MAX_INT32 = 2 ** 31 - 1;

/** int64 and uint8 become int32. */
export function toTensor(tf: TensorFlow, { dtype, shape, data }: TensorData): Tensor {
  if (data instanceof BigInt64Array) return tf.tensor(Int32Array.from(data, narrowed), shape, 'int32');
  if (dtype === 'bool') return tf.tensor(Uint8Array.from(data), shape, 'bool');
  if (data instanceof Uint8Array) return tf.tensor(Int32Array.from(data), shape, 'int32');
  return tf.tensor(data, shape, dtype === 'float32' ? 'float32' : 'int32');
}

export function constantTensor(tf: TensorFlow, { name, dtype, shape, data }: Constant): Tensor {
  const isSupported = data instanceof Float32Array || data instanceof Int32Array || data instanceof Uint8Array;
  if ((!isSupported && !(data instanceof BigInt64Array)) || dtype === 'int8')
    throw new RangeError(`constant "${name}" of an unknown type`);
  return toTensor(tf, { dtype, shape: shape.map(Number), data });
}

/** Integers are returned as int32. */
export function fromTensor(tensor: Tensor): TensorData {
  const data = tensor.dataSync();
  const shape = [...tensor.shape];
  if (data instanceof Float32Array) return { dtype: 'float32', shape, data: data.slice() };
  if (data instanceof Int32Array) return { dtype: 'int32', shape, data: data.slice() };
  return { dtype: 'bool', shape, data: Uint8Array.from(data) };
}

const narrowed = (value: bigint): number => Math.max(-MAX_INT32, Math.min(MAX_INT32, Number(value)));
