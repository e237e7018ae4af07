import * as emit from '../../graph/emit.ts';
import type { Constant, Graph, Value } from '../../graph/graph.ts';
import { add, mul } from '../../graph/ops/arithmetic.ts';
import { clip, exp } from '../../graph/ops/elementwise.ts';
import { concat, slice } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';
import { centreOn, coordinate } from './overlap.ts';

/** Default boxes around the centre of each pixel of a map. */
export interface AnchorMap {
  stride: number;
  /** Width and height of each box. */
  shapes: readonly { w: number; h: number }[];
}

/** Widths and heights of boxes of one scale for each ratio of width to height. */
export const shapesOf = (scale: number, ratios: readonly number[]): { w: number; h: number }[] =>
  ratios.map((ratio) => ({ w: scale * Math.sqrt(ratio), h: scale / Math.sqrt(ratio) }));

/** Boxes of all maps, pixel by pixel in the order of `headRows`: [A, 4], left, top, right, bottom. */
export function anchorBoxes(g: Graph, side: number, maps: readonly AnchorMap[]): Constant {
  const rows = maps.flatMap(({ stride, shapes }) => {
    const pixels = side / stride;
    return Array.from({ length: pixels * pixels }, (_, i) => {
      const [x, y] = [((i % pixels) + 0.5) * stride, (Math.floor(i / pixels) + 0.5) * stride];
      return shapes.flatMap(({ w, h }) => [x - w / 2, y - h / 2, x + w / 2, y + h / 2]);
    }).flat();
  });
  return g.constant(Float32Array.from(rows), [rows.length / 4, 4]);
}

/** Centre and size of boxes. */
interface CentreSize {
  x: Value;
  y: Value;
  w: Value;
  h: Value;
}

function centreSizeOf(g: Graph, boxes: Value): CentreSize {
  const [left, top, right, bottom] = [0, 1, 2, 3].map((i) => coordinate(g, boxes, i)) as [Value, Value, Value, Value];
  return {
    x: centreOn(g, boxes, 0),
    y: centreOn(g, boxes, 1),
    w: extent(g, left, right),
    h: extent(g, top, bottom),
  };
}

/** At least a pixel, because rows without an object are boxes without extent. */
const extent = (g: Graph, low: Value, high: Value): Value => emit.binary(g, 'Max', emit.sub(g, high, low), g.scalar(1));

/** Factors of the offsets of centre and size, as the variances of SSD's first release. */
const [centreVariance, sizeVariance] = [0.1, 0.2];

/** Maximum ratio of a box's size to its anchor's, as the exponent: e^2. */
const maxLogScale = 2;

/**
 * Boxes from offsets against `boxes` (Ren et al. 2015, equation 2): x = x_a + w_a·t_x, w = w_a·e^t_w, and likewise for y and h.
 * Offsets [N, A, 4] → [N, A, 4], with gradients of the offsets.
 */
export function decodeOffsets(t: Tape, offsets: Value, boxes: Value): Value {
  const g = t.graph;
  const { x, y, w, h } = centreSizeOf(g, boxes);
  const part = (i: number): Value => slice(t, offsets, { axis: 2, start: i, end: i + 1 });
  const centre = (i: number, at: Value, size: Value): Value =>
    add(t, mul(t, part(i), emit.mul(g, size, g.scalar(centreVariance))), at);
  const half = (i: number, size: Value): Value =>
    mul(
      t,
      exp(t, clip(t, mul(t, part(i), g.scalar(sizeVariance)), -maxLogScale, maxLogScale)),
      emit.mul(g, size, g.scalar(0.5)),
    );
  const [cx, cy, hw, hh] = [centre(0, x, w), centre(1, y, h), half(2, w), half(3, h)];
  const minus = (v: Value): Value => mul(t, v, g.scalar(-1));
  return concat(t, [add(t, cx, minus(hw)), add(t, cy, minus(hh)), add(t, cx, hw), add(t, cy, hh)], 2);
}

/** The inverse of `decodeOffsets`: the offsets of `targets` against `boxes`, without gradient. */
export function encodeOffsets(g: Graph, targets: Value, boxes: Value): Value {
  const [from, to] = [centreSizeOf(g, boxes), centreSizeOf(g, targets)];
  const centre = (at: Value, base: Value, size: Value): Value =>
    emit.div(g, emit.sub(g, at, base), emit.mul(g, size, g.scalar(centreVariance)));
  const logScale = (size: Value, base: Value): Value =>
    emit.mul(g, emit.unary(g, 'Log', emit.div(g, size, base)), g.scalar(1 / sizeVariance));
  const parts = [
    centre(to.x, from.x, from.w),
    centre(to.y, from.y, from.h),
    logScale(to.w, from.w),
    logScale(to.h, from.h),
  ];
  return emit.concat(g, parts, 2);
}
