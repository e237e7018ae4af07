import * as emit from '../../emit.ts';
import type { Graph, Value } from '../../graph.ts';
import type { Tape } from '../../tape.ts';
import { type ConvShape, convAttributes } from './conv-shape.ts';

/** The convolution that all devices support; the blocked ones are tested against it. */
export function plainConv2d(t: Tape, x: Value, { w, shape }: { w: Value; shape: ConvShape }): Value {
  const g = t.graph;
  const { n, co, oh, ow } = shape;
  const y = g.node('Conv', [x, w], [n, co, oh, ow], { attributes: convAttributes(shape) });
  return t.record(y, [x, w], (dy, needs) => [
    needs(x) ? inputGradient(g, dy, w, shape) : null,
    needs(w) ? weightGradient(g, dy, x, shape) : null,
  ]);
}

export function inputGradient(g: Graph, dy: Value, w: Value, shape: ConvShape): Value {
  const { n, ci, h, w: width, kh, kw, oh, ow, stride, pad, dilation } = shape;
  const outputPadding = (size: number, kernel: number, placed: number): number =>
    size - ((placed - 1) * stride + dilation * (kernel - 1) + 1 - 2 * pad);
  const attributes = {
    ...convAttributes(shape),
    output_padding: [outputPadding(h, kh, oh), outputPadding(width, kw, ow)],
  };
  return g.node('ConvTranspose', [dy, w], [n, ci, h, width], { attributes });
}

/** One matrix product for each offset (i, j) in the kernel: dy with the slice of x that w[…, i, j] multiplies. */
function weightGradient(g: Graph, dy: Value, x: Value, shape: ConvShape): Value {
  const { n, ci, co, kh, kw, oh, ow, groups } = shape;
  const rows = emit.reshape(g, dy, [n, groups, co / groups, oh * ow]);
  const parts = slicesByOffset(g, x, shape).map((slice) => {
    const columns = emit.reshape(g, slice, [n, groups, ci / groups, oh * ow]);
    const sum = emit.reduce(g, 'ReduceSum', emit.batchMatmul(g, rows, columns, { tb: true }), [0]);
    return emit.reshape(g, sum, [1, co, ci / groups]);
  });
  const stacked = emit.transpose(g, emit.concat(g, parts, 0), [1, 2, 0]);
  return emit.reshape(g, stacked, [co, ci / groups, kh, kw]);
}

/** For each (i, j) of the kernel in row-major order: the pixels of the padded x that it multiplies, [N, C, oh, ow]. */
export function slicesByOffset(g: Graph, x: Value, shape: ConvShape): Value[] {
  const { n, ci, kh, kw, oh, ow, stride, pad, dilation } = shape;
  const widths = g.ints([0, 0, pad, pad, 0, 0, pad, pad]);
  const padded = pad === 0 ? x : g.node('Pad', [x, widths], x.shape);
  return Array.from({ length: kh * kw }, (_, offset) => {
    const [top, left] = [dilation * Math.floor(offset / kw), dilation * (offset % kw)];
    const starts = g.ints([top, left]);
    const ends = g.ints([top + (oh - 1) * stride + 1, left + (ow - 1) * stride + 1]);
    return g.node('Slice', [padded, starts, ends, g.ints([2, 3]), g.ints([stride, stride])], [n, ci, oh, ow]);
  });
}
