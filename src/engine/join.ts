import type { TensorData } from '../domain/tensor.ts';

/** Concatenated data of K steps. */
export function joinData(tensors: readonly TensorData[]): TensorData['data'] {
  const total = tensors.reduce((length, { data }) => length + data.length, 0);
  const joined = emptyLike(tensors[0]?.data, total);
  let at = 0;
  for (const { data } of tensors) {
    setInto(joined, data, at);
    at += data.length;
  }
  return joined;
}

/** [K, 2]: start and end of each step's data in the concatenation. */
export function boundsOf(tensors: readonly TensorData[]): Int32Array {
  const bounds = new Int32Array(tensors.length * 2);
  let at = 0;
  tensors.forEach(({ data }, k) => {
    bounds[2 * k] = at;
    at += data.length;
    bounds[2 * k + 1] = at;
  });
  return bounds;
}

function emptyLike(data: TensorData['data'] | undefined, length: number): TensorData['data'] {
  if (data instanceof Int32Array) return new Int32Array(length);
  if (data instanceof Uint8Array) return new Uint8Array(length);
  if (data instanceof BigInt64Array) return new BigInt64Array(length);
  return new Float32Array(length);
}

function setInto(target: TensorData['data'], part: TensorData['data'], at: number): void {
  if (target instanceof BigInt64Array) {
    if (part instanceof BigInt64Array) target.set(part, at);
  } else if (!(part instanceof BigInt64Array)) target.set(part, at);
}
