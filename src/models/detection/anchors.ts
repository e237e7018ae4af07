import * as emit from '../../graph/emit.ts';
import type { Constant, Graph, Value } from '../../graph/graph.ts';
import { add, mul } from '../../graph/ops/arithmetic.ts';
import { clip, exp } from '../../graph/ops/elementwise.ts';
import { concat, slice } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';
import { coordinate } from './overlap.ts';

/** Default boxes around the middle of each pixel of a map. */
export interface AnchorMap {
  stride: number;
  /** Width and height of each box. */
  shapes: readonly { w: number; h: number }[];
}

/** Widths and heights of boxes of one scale for each ratio of width to height. */
export const shapesOf = (scale: number, ratios: readonly number[]): { w: number; h: number }[] =>
  ratios.map((ratio) => ({ w: scale * Math.sqrt(ratio), h: scale / Math.sqrt(ratio) }));

/** Boxes of all maps, pixel by pixel as `headRows` lays them out: [A, 4], left, top, right, bottom. */
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

/** Middle and size of boxes. */
interface Middle {
  x: Value;
  y: Value;
  w: Value;
  h: Value;
}

function middleOf(g: Graph, boxes: Value): Middle {
  const [left, top, right, bottom] = [0, 1, 2, 3].map((i) => coordinate(g, boxes, i)) as [Value, Value, Value, Value];
  const half = g.scalar(0.5);
  return {
    x: emit.mul(g, emit.add(g, left, right), half),
    y: emit.mul(g, emit.add(g, top, bottom), half),
    w: extent(g, left, right),
    h: extent(g, top, bottom),
  };
}

/** At least a pixel: rows that hold no object are boxes without extent. */
const extent = (g: Graph, low: Value, high: Value): Value => emit.binary(g, 'Max', emit.sub(g, high, low), g.scalar(1));

/** How strongly a network's numbers for middle and size count, as the variances of SSD's first release. */
const [ofMiddle, ofSize] = [0.1, 0.2];

/** Largest growth of a box over its anchor, as the exponent: e^2 in each direction. */
const largest = 2;

/**
 * Boxes from offsets against `boxes` (Ren et al. 2015, equation 2): x = x_a + w_a·t_x, w = w_a·e^t_w, and so for y and h.
 * Offsets [N, A, 4] → [N, A, 4]; gradients reach the offsets.
 */
export function decodeOffsets(t: Tape, offsets: Value, boxes: Value): Value {
  const g = t.graph;
  const { x, y, w, h } = middleOf(g, boxes);
  const part = (i: number): Value => slice(t, offsets, { axis: 2, start: i, end: i + 1 });
  const place = (i: number, middle: Value, size: Value): Value =>
    add(t, mul(t, part(i), emit.mul(g, size, g.scalar(ofMiddle))), middle);
  const half = (i: number, size: Value): Value =>
    mul(t, exp(t, clip(t, mul(t, part(i), g.scalar(ofSize)), -largest, largest)), emit.mul(g, size, g.scalar(0.5)));
  const [cx, cy, hw, hh] = [place(0, x, w), place(1, y, h), half(2, w), half(3, h)];
  const minus = (v: Value): Value => mul(t, v, g.scalar(-1));
  return concat(t, [add(t, cx, minus(hw)), add(t, cy, minus(hh)), add(t, cx, hw), add(t, cy, hh)], 2);
}

/** The offsets that `decodeOffsets` would need to make `wanted` of `boxes`: targets, which need no gradient. */
export function encodeOffsets(g: Graph, wanted: Value, boxes: Value): Value {
  const [from, to] = [middleOf(g, boxes), middleOf(g, wanted)];
  const place = (at: Value, base: Value, size: Value): Value =>
    emit.div(g, emit.sub(g, at, base), emit.mul(g, size, g.scalar(ofMiddle)));
  const grown = (size: Value, base: Value): Value =>
    emit.mul(g, emit.unary(g, 'Log', emit.div(g, size, base)), g.scalar(1 / ofSize));
  const parts = [place(to.x, from.x, from.w), place(to.y, from.y, from.h), grown(to.w, from.w), grown(to.h, from.h)];
  return emit.concat(g, parts, 2);
}
