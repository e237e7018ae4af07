import type { GrownLeaf, SumExchange } from './grow.ts';
import { floatBits, orderedBits } from './ordered-floats.ts';

interface LeafRows {
  leaves: readonly GrownLeaf[];
  /** The rows' order, and their integer G and H, of which H is a row's weight. */
  rows: Int32Array;
  derivatives: Int32Array;
  /** What is missing to the target. */
  residual(row: number): number;
}

/**
 * Of each leaf the lower weighted median of residuals, rounded to float32, which minimises the sum of absolute errors (Friedman
 * 2001, algorithm 3). It is searched byte by byte, by sums of weights, so that shares of the rows find it together. A leaf without rows has 0.
 */
export function* leafMedians({ leaves, rows, derivatives, residual }: LeafRows): SumExchange<Float32Array> {
  const keys = new Uint32Array(rows.length);
  for (const { from, to } of leaves) for (let i = from; i < to; i++) keys[i] = keyOf(residual(rows[i] as number));
  const prefixes = new Uint32Array(leaves.length);
  const below = new Float64Array(leaves.length);
  let halves: Float64Array | undefined;
  for (const shift of [24, 16, 8, 0]) {
    const sums = leaves.map(() => new Float64Array(256));
    for (const [leaf, { from, to }] of leaves.entries()) {
      const weights = sums[leaf] as Float64Array;
      for (let i = from; i < to; i++) {
        const key = keys[i] as number;
        if (shift < 24 && key >>> (shift + 8) !== prefixes[leaf]) continue;
        const byte = (key >>> shift) & 255;
        weights[byte] = (weights[byte] as number) + (derivatives[2 * (rows[i] as number) + 1] as number);
      }
    }
    const all = yield sums;
    halves ??= Float64Array.from(all, (weights) => weights.reduce((sum, weight) => sum + weight, 0) / 2);
    for (const [leaf, weights] of all.entries()) {
      let byte = 0;
      let sum = below[leaf] as number;
      while (byte < 255 && sum + (weights[byte] as number) < (halves[leaf] as number)) sum += weights[byte++] as number;
      below[leaf] = sum;
      prefixes[leaf] = (prefixes[leaf] as number) * 256 + byte;
    }
  }
  return Float32Array.from(prefixes, (key, leaf) => ((halves as Float64Array)[leaf] === 0 ? 0 : numberOf(key)));
}

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

function keyOf(value: number): number {
  float[0] = value;
  return orderedBits(word[0] as number);
}

function numberOf(key: number): number {
  word[0] = floatBits(key);
  return float[0] as number;
}
