import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { ConvShape } from '../ops/convolution/conv-shape.ts';
import type { Tape } from '../tape.ts';
import { blockedConv, blockedView, plainView } from './layout.ts';
import { swappedKernels } from './weights.ts';

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
  const kernels = emit.reshape(g, swappedKernels(g, w, { block: b, kernels: phaseKernels }), [4 * ci, co, 2, 2]);
  const quarters = blockedConv(g, { x: dy, w: kernels }, [n, 4 * ci, oh, ow], {
    kernel_shape: [2, 2],
    pads: [0, 0, 1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    group: 1,
  });
  const phaseImages = plainView(g, quarters, [n, 2, 2, ci / b, oh, ow, b]);
  return blockedView(g, emit.transpose(g, phaseImages, [0, 3, 4, 1, 5, 2, 6]), [n, ci, shape.h, shape.w]);
}

/** Rows, or columns, of the 3×3 kernel in the two taps for even and for odd rows of dx; the fourth is zero. */
const phaseTaps = [
  [1, 3],
  [2, 0],
];

/** The places in the 3×3 kernel of the taps of each of the four 2×2 kernels; place 9 is zero. */
const phaseKernels = phaseTaps.flatMap((down) =>
  phaseTaps.map((across) =>
    down.flatMap((row) => across.map((column) => (row < 3 && column < 3 ? 3 * row + column : 9))),
  ),
);

/** x at every other pixel of every other row, zeros between: [N, C, H, W] → [N, C, 2H, 2W]. */
export function dilate(t: Tape, x: Value): Value {
  const g = t.graph;
  const [n = 0, c = 0, h = 0, w = 0] = x.shape.map(Number);
  const expanded = plainView(g, x, [(n * c * h) / t.block, 1, w, 1, t.block]);
  return blockedView(g, emit.pad(g, emit.pad(g, expanded, 3, 0, 1), 1, 0, 1), [n, c, 2 * h, 2 * w]);
}
