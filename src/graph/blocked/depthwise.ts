import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import { type ConvShape, convAttributes } from '../ops/convolution/conv-shape.ts';
import type { Tape } from '../tape.ts';
import { blockedConv, imageCorrelations, plainView } from './layout.ts';
import { dilate } from './stride.ts';
import { blockDepthwise, rotate } from './weights.ts';

/**
 * Each channel convolved by itself: x [N, C, H, W], w [C, 1, k, k], stride 1, or 2 with even sides. dx is the convolution of dy,
 * with zeros between its pixels if the stride is 2, with the rotated kernel; dw[c] is the sum over the images of the
 * convolution of x[n, c] with dy[n, c] as its kernel.
 */
export function blockedDepthwise(t: Tape, x: Value, { w, shape }: { w: Value; shape: ConvShape }): Value {
  const g = t.graph;
  const { n, co, oh, ow, kh, pad, stride } = shape;
  const attributes = convAttributes(shape);
  const y = blockedConv(g, { x, w: blockDepthwise(g, w, t.block) }, [n, co, oh, ow], attributes);
  return t.record(y, [x, w], (dy, needs) => {
    const rotatedPad = kh - 1 - pad;
    const rotatedAttributes = {
      ...attributes,
      pads: [rotatedPad, rotatedPad, rotatedPad, rotatedPad],
      strides: [1, 1],
    };
    const dilated = (): Value => (stride === 1 ? dy : dilate(t, dy));
    const rotated = (): Value => blockDepthwise(g, rotate(g, w), t.block);
    return [
      needs(x) ? blockedConv(g, { x: dilated(), w: rotated() }, x.shape, rotatedAttributes) : null,
      needs(w) ? weightGradient(t, dy, x, shape) : null,
    ];
  });
}

function weightGradient(t: Tape, dy: Value, x: Value, { n, co, kh, kw, pad, stride }: ConvShape): Value {
  const g = t.graph;
  const correlations = imageCorrelations(g, x, dy, { pad, stride, side: [kh, kw] });
  const blocks = plainView(g, correlations, [n, co / t.block, kh * kw, t.block]);
  const sums = emit.transpose(g, emit.reduce(g, 'ReduceSum', blocks, [0]), [0, 1, 3, 2]);
  return emit.reshape(g, sums, [co, 1, kh, kw]);
}
