import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { ConvShape } from '../ops/convolution/conv-shape.ts';
import type { Tape } from '../tape.ts';
import { blockedConv, blockedView, plainView } from './layout.ts';

/**
 * dx of a 3×3 convolution of stride 2 and padding 1, for x of even sides. An even row of x is multiplied by the
 * middle kernel row, an odd row by the other two: dx[2q] = w₁·dy[q] and dx[2q + 1] = w₂·dy[q] + w₀·dy[q + 1], and likewise for columns.
 * So one 2×2 convolution of dy with four times Ci channels gives the four interleaved quarters of dx, with 16 products for
 * each entry of dy; a convolution of dy with zeros in between takes 36.
 */
export function stridedInputGradient(t: Tape, dy: Value, { w, shape }: { w: Value; shape: ConvShape }): Value {
  const g = t.graph;
  const { n, ci, co, oh, ow } = shape;
  const b = t.block;
  const phases = g.shared('stride phases', () => g.constant(Int32Array.of(1, 3, 2, 0), [4], { dtype: 'int32' }));
  const phaseKernels = (x: Value, axis: number): Value => {
    const padded = emit.pad(g, x, axis, 0, 1); // entry 3: no kernel row
    const resized = padded.shape.map((dim, i) => (i === axis ? 4 : dim));
    return g.node('Gather', [padded, phases], resized, { attributes: { axis } });
  };
  const kernels = emit.reshape(g, phaseKernels(phaseKernels(w, 2), 3), [co / b, b, ci / b, b, 2, 2, 2, 2]);
  const ordered = emit.transpose(g, kernels, [4, 6, 2, 0, 5, 7, 1, 3]); // phase y, phase x, Ci / B, Co / B, 2, 2, B out, B in
  const quarters = blockedConv(g, { x: dy, w: emit.reshape(g, ordered, [4 * ci, co, 2, 2]) }, [n, 4 * ci, oh, ow], {
    kernel_shape: [2, 2],
    pads: [0, 0, 1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    group: 1,
  });
  const phaseImages = plainView(g, quarters, [n, 2, 2, ci / b, oh, ow, b]);
  return blockedView(g, emit.transpose(g, phaseImages, [0, 3, 4, 1, 5, 2, 6]), [n, ci, shape.h, shape.w]);
}

/** x at every other pixel of every other row, zeros between: [N, C, H, W] → [N, C, 2H, 2W]. */
export function dilate(t: Tape, x: Value): Value {
  const g = t.graph;
  const [n = 0, c = 0, h = 0, w = 0] = x.shape.map(Number);
  const expanded = plainView(g, x, [(n * c * h) / t.block, 1, w, 1, t.block]);
  return blockedView(g, emit.pad(g, emit.pad(g, expanded, 3, 0, 1), 1, 0, 1), [n, c, 2 * h, 2 * w]);
}
