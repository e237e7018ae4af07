import type { Network } from '../../graph/network.ts';
import { fromHalf } from './half.ts';

/** Flat weights plus their change in half precision. */
export function addChange(weights: Float32Array, halves: Uint16Array): Float32Array {
  const change = fromHalf(halves);
  return weights.map((value, i) => value + (change[i] ?? 0));
}

/** What takes flat weights from `before` to `after`. */
export const changeOf = (before: Float32Array, after: Float32Array): Float32Array =>
  after.map((value, i) => value - (before[i] ?? 0));

/** For each flat weight of a network, 1 if it belongs to a buffer, such as a running statistic of batch norm, otherwise 0. */
export function bufferFlags({ parameters }: Network): Uint8Array {
  const flags = Object.values(parameters).map(({ shape, buffer = false }) =>
    new Uint8Array(shape.reduce((size, dim) => size * dim, 1)).fill(buffer ? 1 : 0),
  );
  return new Uint8Array(Buffer.concat(flags));
}
