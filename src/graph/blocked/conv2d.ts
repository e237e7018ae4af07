import * as emit from '../emit.ts';
import type { Graph, Value } from '../graph.ts';
import { type ConvShape, convAttributes } from '../ops/convolution/conv-shape.ts';
import { inputGradient, slicesByOffset } from '../ops/convolution/plain-conv.ts';
import type { Tape } from '../tape.ts';
import { blockedDepthwise } from './depthwise.ts';
import { im2colWeightGradient } from './im2col.ts';
import { blockedConv, blockedPool, fillsBlocks, pixelRows, plainOf, toBlocked, toPlain } from './layout.ts';
import { dilate, stridedInputGradient } from './stride.ts';
import { blockRotated, blockWeights } from './weights.ts';
import { winogradWeightGradient } from './winograd.ts';

interface Conv {
  w: Value;
  shape: ConvShape;
}

/** Whether this convolution and its gradient have a blocked form; the others run in plain NCHW. */
export function canBlock(t: Tape, x: Value, shape: ConvShape): boolean {
  const { n, ci, h, w, co, kh, kw, stride, pad, groups, dilation } = shape;
  if (typeof n === 'string' || !fillsBlocks(t, co)) return false;
  const even = h % 2 === 0 && w % 2 === 0;
  const halves = stride === 2 && even && dilation === 1 && kh === kw && 2 * pad === kh - 1;
  if (groups > 1) return groups === ci && ci === co && dilation === 1 && kh === kw && (stride === 1 || halves);
  if (ci < t.block && !x.blocked) return true;
  if (!fillsBlocks(t, ci)) return false;
  return stride === 1 ? pad <= dilation * (Math.min(kh, kw) - 1) : halves && kh <= 3;
}

export function blockedConv2d(t: Tape, x: Value, conv: Conv): Value {
  const { ci, kh, stride, groups } = conv.shape;
  if (groups > 1) return blockedDepthwise(t, toBlocked(t, x), conv);
  if (ci < t.block) return firstConv(t, toPlain(t, x), conv);
  if (kh === 1 && stride === 2) return pointwise(t, subsample(t, toBlocked(t, x)), conv);
  return innerConv(t, toBlocked(t, x), conv);
}

/** dx is the convolution of dy with the rotated kernel; dw by Winograd for 3×3, else as one matrix product. */
function innerConv(t: Tape, x: Value, { w, shape }: Conv): Value {
  const g = t.graph;
  const { n, co, oh, ow, kh, kw, stride, dilation } = shape;
  const attributes = convAttributes(shape);
  const y = blockedConv(g, { x, w: blockWeights(g, w, t.block) }, [n, co, oh, ow], attributes);
  const usesWinograd = kh === 3 && kw === 3 && stride === 1 && dilation === 1;
  return t.record(y, [x, w], (dy, needs) => [
    needs(x) ? (stride === 1 ? rotatedConv(t, dy, { w, shape }) : stridedInputGradient(t, dy, { w, shape })) : null,
    needs(w) ? (usesWinograd ? winogradWeightGradient : im2colWeightGradient)(g, dy, x, shape) : null,
  ]);
}

function rotatedConv(t: Tape, dy: Value, { w, shape }: Conv): Value {
  const { n, ci, h, w: width, kh, kw, pad, dilation } = shape;
  const [down, across] = [dilation * (kh - 1) - pad, dilation * (kw - 1) - pad];
  const attributes = { ...convAttributes(shape), pads: [down, across, down, across] };
  return blockedConv(t.graph, { x: dy, w: blockRotated(t.graph, w, t.block) }, [n, ci, h, width], attributes);
}

/** A 1×1 convolution of a subsampled x. */
function pointwise(t: Tape, x: Value, { w, shape }: Conv): Value {
  return innerConv(t, x, { w, shape: { ...shape, h: shape.oh, w: shape.ow, stride: 1 } });
}

/** Every other pixel of every other row; dx has zeros between them. */
function subsample(t: Tape, x: Value): Value {
  return t.record(blockedPool(t.graph, 'MaxPool', x, [1, 2]), [x], (dy) => [dilate(t, dy)]);
}

/** For plain images with fewer channels than a block: [N, 3, H, W] is never blocked. */
function firstConv(t: Tape, x: Value, { w, shape }: Conv): Value {
  const g = t.graph;
  const { n, co, oh, ow } = shape;
  const y = blockedConv(g, { x, w: blockWeights(g, w, t.block) }, [n, co, oh, ow], convAttributes(shape));
  return t.record(y, [x, w], (dy, needs) => [
    needs(x) ? inputGradient(g, plainOf(g, dy), w, shape) : null,
    needs(w) ? firstWeightGradient(g, dy, x, shape) : null,
  ]);
}

/** dw = Σ col · dy over the images, where col [kh·kw·Ci, oh·ow] is the receptive field of each result. */
function firstWeightGradient(g: Graph, dy: Value, x: Value, shape: ConvShape): Value {
  const { n, ci, co, kh, kw, oh, ow } = shape;
  const columns = emit.reshape(g, emit.concat(g, slicesByOffset(g, x, shape), 1), [n, kh * kw * ci, oh * ow]);
  const rows = emit.reshape(g, pixelRows(g, dy), [n, oh * ow, co]);
  const dw = emit.reduce(g, 'ReduceSum', emit.batchMatmul(g, columns, rows), [0]);
  return emit.transpose(g, emit.reshape(g, dw, [kh, kw, ci, co]), [3, 2, 0, 1]);
}
