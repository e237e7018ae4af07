import type { Network } from '../../graph/network.ts';
import { halfNumbers } from './half.ts';

// Loops: a callback for each of some millions of numbers takes ten times as long.

/** Numbers at a time, so that what one loop has written is still in the cache for the next. */
const BLOCK = 8192;

/** Weights after a worker's steps, or their change in half precision, and the fraction of the round's rows that it trained. */
export interface OwnWeights {
  weights: Float32Array;
  fraction: number;
}

export interface SentHalves {
  halves: Uint16Array;
  fraction: number;
}

/** The mean change of the workers' weights since `before`, each weighted by its rows. */
export function meanChange(
  before: Float32Array,
  own: OwnWeights,
  others: readonly SentHalves[],
  into: Float32Array,
): Float32Array {
  const table = halfNumbers();
  const { weights, fraction } = own;
  for (let from = 0; from < into.length; from += BLOCK) {
    const to = Math.min(into.length, from + BLOCK);
    for (let i = from; i < to; i++) into[i] = fraction * ((weights[i] as number) - (before[i] as number));
    for (const { halves, fraction: its } of others)
      for (let i = from; i < to; i++) into[i] = (into[i] as number) + its * (table[halves[i] as number] as number);
  }
  return into;
}

/** Flat weights plus their change in half precision; `into` may be the weights. */
export function addChange(weights: Float32Array, halves: Uint16Array, into: Float32Array): Float32Array {
  const table = halfNumbers();
  for (let i = 0; i < into.length; i++) into[i] = (weights[i] as number) + (table[halves[i] as number] as number);
  return into;
}

/** For each flat weight of a network, 1 if it belongs to a buffer, such as a running statistic of batch norm, otherwise 0. */
export function bufferFlags({ parameters }: Network): Uint8Array {
  const flags = Object.values(parameters).map(({ shape, buffer = false }) =>
    new Uint8Array(shape.reduce((size, dim) => size * dim, 1)).fill(buffer ? 1 : 0),
  );
  return new Uint8Array(Buffer.concat(flags));
}
