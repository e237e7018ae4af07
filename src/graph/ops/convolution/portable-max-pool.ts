import * as emit from '../../emit.ts';
import type { Value } from '../../graph.ts';
import type { Tape } from '../../tape.ts';
import { type ConvShape, convShape } from './conv-shape.ts';
import { inputGradient, seenByOffset } from './plain-conv.ts';

/** Stands for −∞ beyond the edge: it never wins. */
const lowest = -3e38;

interface PoolWindows {
  size: number;
  stride: number;
  pad: number;
}

/**
 * The gradient of y, the maxima of windows of x, for devices that do not tell a window's winner. It asks each offset (i, j) of
 * the window in turn whether the pixel there is the maximum, m_ij = [x_ij = y] · (1 − Σ earlier m): the first of equals; and
 * takes m_ij ⊙ dy back to where it came from.
 */
export function recordWithoutWinners(t: Tape, x: Value, y: Value, { size, stride, pad }: PoolWindows): Value {
  const g = t.graph;
  const channels = Number(emit.dimOf(x, 1));
  const shape = convShape(x, { ...x, shape: [channels, 1, size, size] }, { stride, pad, groups: channels });
  return t.record(y, [x], (dy) => {
    const shares = winners(t, x, y, shape).map((won, offset) => movedBack(t, emit.mul(g, won, dy), { offset, shape }));
    return [emit.total(g, shares, x.shape)];
  });
}

/** For each offset of the window in row-major order: 1 where its pixel is the first maximum, [N, C, oh, ow]. */
function winners({ graph: g }: Tape, x: Value, y: Value, shape: ConvShape): Value[] {
  const { n, ci, h, w, pad } = shape;
  const widths = g.ints([0, 0, pad, pad, 0, 0, pad, pad]);
  const padded = pad === 0 ? x : g.node('Pad', [x, widths, g.scalar(lowest)], [n, ci, h + 2 * pad, w + 2 * pad]);
  let free: Value = g.scalar(1);
  return seenByOffset(g, padded, { ...shape, pad: 0 }).map((seen) => {
    const won = emit.mul(g, emit.notNegative(g, emit.sub(g, seen, y)), free);
    free = emit.sub(g, free, won);
    return won;
  });
}

/**
 * What the pixels at one offset get, [N, C, oh, ow], where they lie in the image, [N, C, H, W]: a transposed convolution of each
 * channel by itself. (All offsets in one would be fewer nodes, but WebGPU's is wrong for four inputs and one output a group.)
 */
function movedBack(t: Tape, share: Value, { offset, shape }: { offset: number; shape: ConvShape }): Value {
  const g = t.graph;
  const { ci, kh, kw } = shape;
  const kernel = g.shared(`offset ${offset} of ${ci} ${kh}×${kw}`, () => {
    const oneHot = Float32Array.from({ length: ci * kh * kw }, (_, i) => Number(i % (kh * kw) === offset));
    return g.constant(oneHot, [ci, 1, kh, kw]);
  });
  return inputGradient(g, share, kernel, shape);
}
