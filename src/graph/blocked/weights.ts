import * as emit from '../emit.ts';
import type { Graph, Value } from '../graph.ts';

// Weights [Co, Ci, kh, kw] in the order that blocked convolutions read; the declared shape remains that of plain weights.

/** Memory order [Co / B, Ci / B, kh, kw, B in, B out]; for plain input, of fewer channels than a block, [Co / B, Ci, kh, kw, B]. */
export function blockWeights(g: Graph, w: Value, block: number): Value {
  const [co = 0, ci = 0, kh = 0, kw = 0] = w.shape.map(Number);
  if (ci < block) {
    return emit.reshape(
      g,
      emit.transpose(g, emit.reshape(g, w, [co / block, block, ci, kh, kw]), [0, 2, 3, 4, 1]),
      w.shape,
    );
  }
  return emit.reshape(g, emit.transpose(g, splitChannels(g, w, block), [0, 2, 4, 5, 3, 1]), w.shape);
}

/** The kernel rotated by 180° with its channels swapped: its convolution with dy is dx. */
export function blockRotated(g: Graph, w: Value, block: number): Value {
  const [co = 0, ci = 0, kh = 0, kw = 0] = w.shape.map(Number);
  const swapped = emit.transpose(g, splitChannels(g, rotate(g, w), block), [2, 0, 4, 5, 1, 3]);
  return emit.reshape(g, swapped, [ci, co, kh, kw]);
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

function splitChannels(g: Graph, w: Value, block: number): Value {
  const [co = 0, ci = 0, kh = 0, kw = 0] = w.shape.map(Number);
  return emit.reshape(g, w, [co / block, block, ci / block, block, kh, kw]);
}
