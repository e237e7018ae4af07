import type { Network } from '../../graph/network.ts';
import { halfNumbers } from './half.ts';

// Loops: a callback for each of some millions of numbers takes ten times as long.

/** Flat weights plus their change in half precision. */
export function addChange(weights: Float32Array, halves: Uint16Array): Float32Array {
  const table = halfNumbers();
  const sum = new Float32Array(weights.length);
  for (let i = 0; i < sum.length; i++) sum[i] = (weights[i] as number) + (table[halves[i] as number] as number);
  return sum;
}

/** What takes flat weights from `before` to `after`. */
export function changeOf(before: Float32Array, after: Float32Array): Float32Array {
  const change = new Float32Array(after.length);
  for (let i = 0; i < change.length; i++) change[i] = (after[i] as number) - (before[i] as number);
  return change;
}

/** For each flat weight of a network, 1 if it belongs to a buffer, such as a running statistic of batch norm, otherwise 0. */
export function bufferFlags({ parameters }: Network): Uint8Array {
  const flags = Object.values(parameters).map(({ shape, buffer = false }) =>
    new Uint8Array(shape.reduce((size, dim) => size * dim, 1)).fill(buffer ? 1 : 0),
  );
  return new Uint8Array(Buffer.concat(flags));
}
