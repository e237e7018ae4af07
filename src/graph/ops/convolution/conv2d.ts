import { blockedConv2d, canBlock } from '../../blocked/conv2d.ts';
import { toPlain } from '../../blocked/layout.ts';
import type { Value } from '../../graph.ts';
import type { Tape } from '../../tape.ts';
import { type ConvOptions, convShape } from './conv-shape.ts';
import { plainConv2d } from './plain-conv.ts';

/**
 * Convolution over images: x [N, Ci, H, W], w [Co, Ci / groups, kh, kw] → y [N, Co, H', W'] with
 * y[n, o, p, q] = Σ w[o, c, i, j] · x[n, c, s·p + d·i − pad, s·q + d·j − pad] over c, i, j.
 * dx is the transposed convolution of dy, and dw[o, c, i, j] = Σ dy[n, o, p, q] · x[n, c, s·p + d·i − pad, …] over n, p, q.
 */
export function conv2d(t: Tape, x: Value, w: Value, options: ConvOptions = {}): Value {
  const shape = convShape(x, w, options);
  return canBlock(t, x, shape) ? blockedConv2d(t, x, { w, shape }) : plainConv2d(t, toPlain(t, x), { w, shape });
}
