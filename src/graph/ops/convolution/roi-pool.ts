import * as emit from '../../emit.ts';
import type { Graph, Value } from '../../graph.ts';
import type { Tape } from '../../tape.ts';
import { batchMatmul } from '../matmul.ts';
import { reshape, transpose } from '../shaping.ts';

export interface RoiPoolOptions {
  /** Bins on each side of a region. */
  size: number;
  /** Samples on each side of a bin; the bin is their mean. */
  samples?: number;
}

/**
 * RoIAlign (He et al. 2017, section 3): x [N, C, H, W], boxes [N, R, 4] → y [N·R, C, size, size]. A box is (left, top, right,
 * bottom) in pixels of x, where pixel i covers [i, i + 1); samples outside the image take its nearest pixel.
 *
 * Bilinear sampling on a grid is separable: y[n, r, c] = A[n, r] · x[n, c] · B[n, r]ᵀ with A [size, H] and B [size, W], whose
 * rows are hat functions max(0, 1 − |p − i|) averaged over a bin's samples p. It is therefore two stacks of matrix products,
 * differentiable in x everywhere; the boxes get no gradient.
 */
export function roiPool(t: Tape, x: Value, boxes: Value, options: RoiPoolOptions): Value {
  const { size } = options;
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  const regions = Number(emit.dimOf(boxes, 1));
  const channels = Number(c);
  const down = interpolationWeights(t.graph, boxes, { ...options, from: 1, to: 3, length: Number(h) }); // [N, R, size, H]
  const across = interpolationWeights(t.graph, boxes, { ...options, from: 0, to: 2, length: Number(w) }); // [N, R, size, W]

  const rows = reshape(t, transpose(t, x, [0, 2, 1, 3]), [n, h, channels * Number(w)]);
  const bands = batchMatmul(t, reshape(t, down, [n, regions * size, h]), rows); // [N, R·size, C·W]
  const columns = reshape(t, bands, [n, regions, size * channels, w]);
  const pooled = batchMatmul(t, columns, transpose(t, across, [0, 1, 3, 2])); // [N, R, size·C, size]
  const total = typeof n === 'number' ? n * regions : `${n}*${regions}`;
  return transpose(t, reshape(t, pooled, [total, size, channels, size]), [0, 2, 1, 3]);
}

interface PoolAxis extends RoiPoolOptions {
  /** Index in a box of its first and its last edge on this axis. */
  from: number;
  to: number;
  /** Pixels of the image on this axis. */
  length: number;
}

/** The weight of each pixel in each bin on one axis, A or B: [N, R, size, length]. */
function interpolationWeights(g: Graph, boxes: Value, { size, samples = 2, from, to, length }: PoolAxis): Value {
  const [n = 1, r = 1] = boxes.shape;
  const points = size * samples;
  const steps = g.shared(`samples ${points}`, () =>
    g.constant(
      Float32Array.from({ length: points }, (_, i) => (i + 0.5) / points),
      [points],
    ),
  );
  const pixels = g.shared(`pixels ${length}`, () =>
    g.constant(
      Float32Array.from({ length }, (_, i) => i),
      [length],
    ),
  );
  const first = emit.slice(g, boxes, 2, from, from + 1);
  const extent = emit.sub(g, emit.slice(g, boxes, 2, to, to + 1), first);
  const positions = emit.sub(g, emit.add(g, first, emit.mul(g, extent, steps)), g.scalar(0.5));
  const inside = emit.reshape(g, emit.clip(g, positions, 0, length - 1), [n, r, points, 1]);
  const distance = emit.unary(g, 'Abs', emit.sub(g, inside, pixels));
  const weights = emit.unary(g, 'Relu', emit.sub(g, g.scalar(1), distance)); // [N, R, points, length]
  const binned = emit.reduce(g, 'ReduceMean', emit.reshape(g, weights, [n, r, size, samples, length]), [3]);
  return emit.reshape(g, binned, [n, r, size, length]);
}
