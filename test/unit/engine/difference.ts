import type { TensorData } from '../../../src/domain/tensor.ts';

/** The largest difference of two tensors, as a share of the largest entry. */
export function difference(values: TensorData['data'], others: TensorData['data'] = new Float32Array()): number {
  const [own, other] = [Array.from(values, Number), Array.from(others, Number)];
  const scale = own.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  return own.reduce((most, value, i) => Math.max(most, Math.abs(value - (other[i] ?? Number.NaN)) / scale), 0);
}
