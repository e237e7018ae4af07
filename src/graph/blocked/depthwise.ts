import * as emit from '../emit.ts';
import type { Graph, Value } from '../graph.ts';
import { type ConvShape, convAttributes } from '../ops/conv-shape.ts';
import type { Tape } from '../tape.ts';
import { blockedConv, channelMeans } from './layout.ts';
import { blockDepthwise, rotate } from './weights.ts';

/**
 * Each channel convolved by itself: x [N, C, H, W], w [C, 1, k, k], stride 1. dx is the convolution of dy with the rotated
 * kernel; dw[c, i, j] = Σ dy ⊙ (x moved by i, j), where a convolution with a one-hot kernel moves x.
 */
export function blockedDepthwise(t: Tape, x: Value, { w, shape }: { w: Value; shape: ConvShape }): Value {
  const g = t.graph;
  const { n, co, oh, ow, kh, pad } = shape;
  const attributes = convAttributes(shape);
  const y = blockedConv(g, { x, w: blockDepthwise(g, w, t.block) }, [n, co, oh, ow], attributes);
  return t.record(y, [x, w], (dy, needs) => {
    const back = kh - 1 - pad;
    const turned = { ...attributes, pads: [back, back, back, back] };
    const rotated = (): Value => blockDepthwise(g, rotate(g, w), t.block);
    return [
      needs(x) ? blockedConv(g, { x: dy, w: rotated() }, x.shape, turned) : null,
      needs(w) ? weightGradient(t, dy, x, shape) : null,
    ];
  });
}

function weightGradient(t: Tape, dy: Value, x: Value, shape: ConvShape): Value {
  const g = t.graph;
  const { n, co, oh, ow, kh, kw } = shape;
  const means = Array.from({ length: kh * kw }, (_, offset) => {
    const w = oneHot(g, { channels: co, offset, size: kh * kw, block: t.block });
    const moved = blockedConv(g, { x, w }, dy.shape, convAttributes(shape));
    return emit.reshape(g, channelMeans(g, emit.mul(g, moved, dy)), [1, co]);
  });
  const sums = emit.mul(g, emit.concat(g, means, 0), g.scalar(Number(n) * oh * ow));
  return emit.reshape(g, emit.transpose(g, sums, [1, 0]), [co, 1, kh, kw]);
}

/** Blocked depthwise weights that are 1 at one offset of the kernel. */
function oneHot(
  g: Graph,
  { channels, offset, size, block }: { channels: number; offset: number; size: number; block: number },
): Value {
  return g.shared(`one-hot ${channels} ${offset} of ${size}`, () => {
    const data = new Float32Array(channels * size);
    for (let first = 0; first < channels; first += block) {
      data.fill(1, first * size + offset * block, first * size + (offset + 1) * block);
    }
    const side = Math.sqrt(size);
    return g.constant(data, [channels, 1, side, side]);
  });
}
