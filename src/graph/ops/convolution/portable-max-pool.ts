import * as emit from '../../emit.ts';
import type { Value } from '../../graph.ts';
import type { Tape } from '../../tape.ts';
import { type ConvShape, convShape } from './conv-shape.ts';
import { inputGradient, slicesByOffset } from './plain-conv.ts';

/** Replaces −∞ in the padding: never the maximum. */
const PADDING = -3e38;

interface PoolWindows {
  size: number;
  stride: number;
  pad: number;
}

/**
 * Records the gradient of y, the maxima of windows of x, for devices whose operator returns no indices. For each offset (i, j)
 * of the window in turn, m_ij = [x_ij = y] · (1 − Σ earlier m) is 1 if the pixel there is the maximum, the first of equals;
 * dx is the sum of m_ij ⊙ dy, each at its pixel.
 */
export function recordWithoutArgmax(t: Tape, x: Value, y: Value, { size, stride, pad }: PoolWindows): Value {
  const g = t.graph;
  const channels = Number(emit.dimOf(x, 1));
  const shape = convShape(x, { ...x, shape: [channels, 1, size, size] }, { stride, pad, groups: channels });
  return t.record(y, [x], (dy) => {
    const shares = maximumMasks(t, x, y, shape).map((mask, offset) =>
      scatterOffset(t, emit.mul(g, mask, dy), { offset, shape }),
    );
    return [emit.total(g, shares, x.shape)];
  });
}

/** For each offset of the window in row-major order: 1 where its pixel is the first maximum, [N, C, oh, ow]. */
function maximumMasks({ graph: g }: Tape, x: Value, y: Value, shape: ConvShape): Value[] {
  const { n, ci, h, w, pad } = shape;
  const widths = g.ints([0, 0, pad, pad, 0, 0, pad, pad]);
  const padded = pad === 0 ? x : g.node('Pad', [x, widths, g.scalar(PADDING)], [n, ci, h + 2 * pad, w + 2 * pad]);
  let notFound: Value = g.scalar(1);
  return slicesByOffset(g, padded, { ...shape, pad: 0 }).map((slice) => {
    const mask = emit.mul(g, emit.isNotNegative(g, emit.sub(g, slice, y)), notFound);
    notFound = emit.sub(g, notFound, mask);
    return mask;
  });
}

/**
 * The gradients of the pixels at one offset, [N, C, oh, ow], at their places in the image, [N, C, H, W]: a depthwise transposed
 * convolution. (One for all offsets would be fewer nodes, but WebGPU's is wrong for four inputs and one output a group.)
 */
function scatterOffset(t: Tape, share: Value, { offset, shape }: { offset: number; shape: ConvShape }): Value {
  const g = t.graph;
  const { ci, kh, kw } = shape;
  const kernel = g.shared(`offset ${offset} of ${ci} ${kh}×${kw}`, () => {
    const oneHot = Float32Array.from({ length: ci * kh * kw }, (_, i) => Number(i % (kh * kw) === offset));
    return g.constant(oneHot, [ci, 1, kh, kw]);
  });
  return inputGradient(g, share, kernel, shape);
}
