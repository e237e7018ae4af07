import * as emit from '../emit.ts';
import type { Graph, Value } from '../graph.ts';

// Weights [Co, Ci, kh, kw] in the order that blocked convolutions read; the declared shape remains that of plain weights. The
// runtime moves one axis, or rows of B numbers, several times as fast as single numbers: so each order takes two transpositions.

/** Memory order [Co / B, Ci / B, kh, kw, B in, B out]; for plain input, of fewer channels than a block, [Co / B, Ci, kh, kw, B]. */
export function blockWeights(g: Graph, w: Value, block: number): Value {
  const [co = 0, ci = 0, kh = 0, kw = 0] = w.shape.map(Number);
  const outLast = emit.transpose(g, emit.reshape(g, w, [co, ci * kh * kw]), [1, 0]);
  if (ci < block) {
    const rows = emit.reshape(g, outLast, [ci * kh * kw, co / block, block]);
    return emit.reshape(g, emit.transpose(g, rows, [1, 0, 2]), w.shape);
  }
  const rows = emit.reshape(g, outLast, [ci / block, block, kh * kw, co / block, block]);
  return emit.reshape(g, emit.transpose(g, rows, [3, 0, 2, 1, 4]), w.shape);
}

/** The kernel rotated by 180° with its channels swapped: its convolution with dy is dx. */
export function blockRotated(g: Graph, w: Value, block: number): Value {
  const [co = 0, ci = 0, kh = 0, kw = 0] = w.shape.map(Number);
  const places = Array.from({ length: kh * kw }, (_, tap) => kh * kw - 1 - tap);
  return emit.reshape(g, swappedKernels(g, w, { block, kernels: [places] }), [ci, co, kh, kw]);
}

/**
 * Kernels of numbers of w with its channels swapped, in memory order [kernels, Ci / B, Co / B, taps, B in, B out]: each is given by
 * the places of its taps in w, row by row; the place after the last one stands for zero.
 */
export function swappedKernels(
  g: Graph,
  w: Value,
  { block, kernels }: { block: number; kernels: readonly (readonly number[])[] },
): Value {
  const [co = 0, ci = 0, kh = 0, kw = 0] = w.shape.map(Number);
  const places = Int32Array.from(kernels.flat());
  const inLast = emit.transpose(g, emit.reshape(g, w, [co, ci, kh * kw]), [0, 2, 1]);
  const padded = places.includes(kh * kw) ? emit.pad(g, inLast, 1, 0, 1) : inLast;
  const index = g.shared(`taps ${places.join()}`, () => g.constant(places, [places.length], { dtype: 'int32' }));
  const taps = g.node('Gather', [padded, index], [co, places.length, ci], { attributes: { axis: 1 } });
  const perKernel = places.length / kernels.length;
  const rows = emit.reshape(g, taps, [co / block, block, kernels.length, perKernel, ci / block, block]);
  return emit.transpose(g, rows, [2, 4, 0, 3, 1, 5]);
}

/** Depthwise weights [C, 1, kh, kw] in memory order [C / B, kh, kw, B]. */
export function blockDepthwise(g: Graph, w: Value, block: number): Value {
  const [c = 0, , kh = 0, kw = 0] = w.shape.map(Number);
  return emit.reshape(g, emit.transpose(g, emit.reshape(g, w, [c / block, block, kh, kw]), [0, 2, 3, 1]), w.shape);
}

export function rotate(g: Graph, w: Value): Value {
  const [, , kh = 0, kw = 0] = w.shape.map(Number);
  if (kh * kw === 1) return w;
  const beforeFirst = Number.MIN_SAFE_INTEGER;
  return g.node(
    'Slice',
    [w, g.ints([-1, -1]), g.ints([beforeFirst, beforeFirst]), g.ints([2, 3]), g.ints([-1, -1])],
    w.shape,
  );
}
