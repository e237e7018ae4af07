import * as emit from '../emit.ts';
import { absent, type Graph, type NodeOptions, type Shape, type Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/**
 * ONNX Runtime's fast CPU layout for images: [N, C, H, W] is stored as [N, C / B, H, W, B], with B consecutive channels,
 * the width of a vector register. The runtime chooses it by itself only if weights are constant; in training they change,
 * so the graph uses the operators of domain com.microsoft.nchwc explicitly, with weights that it blocks itself.
 * A 3×3 convolution then takes half the time (32 → 32 channels at 32×32, batch 64: 6.4 → 3.2 ms on two threads).
 */
const domain = 'com.microsoft.nchwc';

/** Whether `channels` fill whole blocks. */
export const fillsBlocks = (t: Tape, channels: number): boolean => t.block > 1 && channels % t.block === 0;

/** x in plain NCHW; dx = dy blocked. */
export function toPlain(t: Tape, x: Value): Value {
  if (!x.blocked) return x;
  return t.record(plainOf(t.graph, x), [x], (dy) => [blockedOf(t.graph, dy)]);
}

/** x blocked; dx = dy plain. */
export function toBlocked(t: Tape, x: Value): Value {
  if (x.blocked) return x;
  return t.record(blockedOf(t.graph, x), [x], (dy) => [plainOf(t.graph, dy)]);
}

export function plainOf(g: Graph, x: Value): Value {
  const attributes = { channels: Number(emit.dimOf(x, 1)), channels_last: 0 };
  return g.node('ReorderOutput', [x], x.shape, { attributes, domain, blocked: false });
}

function blockedOf(g: Graph, x: Value): Value {
  return g.node('ReorderInput', [x], x.shape, { attributes: { channels_last: 0 }, domain, blocked: true });
}

/** One row of C numbers for each pixel: [N·H·W, C]. */
export function pixelRows(g: Graph, x: Value): Value {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  const attributes = { channels: Number(c), channels_last: 1 };
  const last = g.node('ReorderOutput', [x], [n, h, w, c], { attributes, domain, blocked: false });
  return emit.reshape(g, last, [emit.product([n, h, w]), c]);
}

/** One row of zeros, for pixels outside an image. */
export const zeroRow = (g: Graph, width: number): Value =>
  g.shared(`zeros ${width}`, () => g.constant(new Float32Array(width), [1, width]));

/** The memory of a blocked tensor as a plain tensor of `shape`. */
export function plainView(g: Graph, x: Value, shape: Shape): Value {
  return g.node('Reshape', [x, g.ints(shape.map(Number))], shape, { blocked: false });
}

/** Memory in blocked order as a blocked image batch [N, C, H, W]. */
export function blockedView(g: Graph, x: Value, shape: Shape): Value {
  return g.node('Reshape', [x, g.ints(shape.map(Number))], shape, { blocked: true });
}

export interface ConvParts {
  x: Value;
  /** Blocked weights. */
  w: Value;
  bias?: Value;
  /** Added to the result in the same pass. */
  sum?: Value;
}

/** A convolution with blocked result of `shape`; x may be plain if it has fewer channels than a block. */
export function blockedConv(
  g: Graph,
  { x, w, bias, sum }: ConvParts,
  shape: Shape,
  attributes: NodeOptions['attributes'],
): Value {
  const optional = sum === undefined ? (bias === undefined ? [] : [bias]) : [bias ?? absent, sum];
  return g.node('Conv', [x, w, ...optional], shape, { attributes: attributes ?? {}, domain, blocked: true });
}

/** One pass of y = act(a[c]·x + b[c] + sum): a 1×1 convolution of each channel by itself. */
export function channelAffine(
  g: Graph,
  x: Value,
  { a, b, sum, relu = false }: { a: Value; b?: Value; sum?: Value; relu?: boolean },
): Value {
  const c = Number(emit.dimOf(x, 1));
  const w = emit.reshape(g, a, [c, 1, 1, 1]);
  const attributes = { kernel_shape: [1, 1], group: c, ...(relu ? { activation: 'Relu' } : {}) };
  const parts = { x, w, ...(b === undefined ? {} : { bias: b }), ...(sum === undefined ? {} : { sum }) };
  return blockedConv(g, parts, x.shape, attributes);
}

/** Mean over the pixels of each image: [N, C]. */
export function imageMeans(g: Graph, x: Value): Value {
  const [n = 1, c = 1] = x.shape;
  const pooled = g.node('GlobalAveragePool', [x], [n, c, 1, 1], { domain, blocked: true });
  return plainView(g, pooled, [n, c]);
}

/** Mean over all pixels of all images: [C]. */
export function channelMeans(g: Graph, x: Value): Value {
  return emit.reshape(g, emit.reduce(g, 'ReduceMean', imageMeans(g, x), [0]), [emit.dimOf(x, 1)]);
}

/** Mean of x ⊙ y over all pixels of all images, [C], without storing the product. */
export function channelProductMeans(g: Graph, x: Value, y: Value): Value {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape.map(Number);
  const sums = plainView(g, imageCorrelations(g, x, y, { pad: 0, side: [1, 1] }), [n, c]);
  const total = emit.reshape(g, emit.reduce(g, 'ReduceSum', sums, [0]), [c]);
  return emit.mul(g, total, g.scalar(1 / (n * h * w)));
}

/**
 * Σ over the pixels of x[n, c, s·p + i − pad, s·q + j − pad] · y[n, c, p, q] for each (i, j) of `side`: [1, N·C, k, l]. In memory,
 * N images of C channels equal one image of N·C channels, and y equals a depthwise kernel as large as an image, so one
 * operator computes it without copies. Shifting, multiplying and summing for each offset took half of an Xception's step.
 */
export function imageCorrelations(
  g: Graph,
  x: Value,
  y: Value,
  { pad, side, stride = 1 }: { pad: number; side: readonly [number, number]; stride?: number },
): Value {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape.map(Number);
  const [oh = 1, ow = 1] = y.shape.slice(2).map(Number);
  const padAfter = (length: number, kernel: number, size: number): number =>
    size - length + stride * (kernel - 1) - pad;
  const attributes = {
    kernel_shape: [oh, ow],
    pads: [pad, pad, padAfter(h, oh, side[0]), padAfter(w, ow, side[1])], // so that the result has `side`
    strides: [1, 1],
    dilations: [stride, stride],
    group: n * c,
  };
  const parts = { x: blockedView(g, x, [1, n * c, h, w]), w: plainView(g, y, [n * c, 1, oh, ow]) };
  return blockedConv(g, parts, [1, n * c, ...side], attributes);
}

export function blockedPool(
  g: Graph,
  op: 'MaxPool' | 'AveragePool',
  x: Value,
  [size, stride]: [number, number],
): Value {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  const outputSize = (length: number): number => Math.floor((length - size) / stride) + 1;
  const attributes = { kernel_shape: [size, size], strides: [stride, stride] };
  return g.node(op, [x], [n, c, outputSize(Number(h)), outputSize(Number(w))], { attributes, domain, blocked: true });
}

/** Nearest-neighbour upsampling: each pixel becomes a rectangle of vertical × horizontal. */
export function blockedUpsample(g: Graph, x: Value, [vertical, horizontal]: [number, number]): Value {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  const shape = [n, c, Number(h) * vertical, Number(w) * horizontal];
  return g.node('Upsample', [x], shape, {
    attributes: { scales: [1, 1, vertical, horizontal] },
    domain,
    blocked: true,
  });
}
