import type { TensorData } from '../../../src/domain/tensor.ts';

/** The largest difference of two tensors, as a share of the largest entry. */
export function difference(values: TensorData['data'], others: TensorData['data'] = new Float32Array()): number {
  const [own, other] = [Array.from(values, Number), Array.from(others, Number)];
  const scale = own.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-6);
  return own.reduce((max, value, i) => Math.max(max, Math.abs(value - (other[i] ?? Number.NaN)) / scale), 0);
}
