import * as emit from '../../graph/emit.ts';
import type { Graph, Value } from '../../graph/graph.ts';

// Box arithmetic without gradient. Boxes are left, top, right, bottom in the last dimension.

/** Coordinate `i` of boxes [..., K, 4 or more]: [..., K, 1]. */
export const coordinate = (g: Graph, boxes: Value, i: number): Value =>
  emit.slice(g, boxes, boxes.shape.length - 1, i, i + 1);

/** Centres of boxes on an axis, 0 across and 1 down: [..., K, 1]. */
export const centreOn = (g: Graph, boxes: Value, axis: 0 | 1): Value =>
  emit.mul(g, emit.add(g, coordinate(g, boxes, axis), coordinate(g, boxes, axis + 2)), g.scalar(0.5));

/** Intersection over union of each of `a` [A, 4] or [N, A, 4] with each of `b` [N, M, 4]: [N, A, M]. */
export function overlaps(g: Graph, a: Value, b: Value): Value {
  const [n = 1, m = 1] = b.shape;
  const across = (i: number): Value => emit.reshape(g, coordinate(g, b, i), [n, 1, m]);
  const down = (i: number): Value => coordinate(g, a, i);
  const side = (low: number, high: number): Value => {
    const end = emit.binary(g, 'Min', down(high), across(high));
    const start = emit.binary(g, 'Max', down(low), across(low));
    return emit.unary(g, 'Relu', emit.sub(g, end, start));
  };
  const common = emit.mul(g, side(0, 2), side(1, 3));
  const both = emit.add(g, area(g, down), area(g, across));
  return emit.div(g, common, emit.add(g, emit.sub(g, both, common), g.scalar(1e-6)));
}

function area(g: Graph, of: (i: number) => Value): Value {
  return emit.mul(g, emit.sub(g, of(2), of(0)), emit.sub(g, of(3), of(1)));
}

/** 1 where whole numbers are equal, else 0, with broadcasting. */
export function same(g: Graph, a: Value, b: Value): Value {
  const difference = emit.unary(g, 'Abs', emit.sub(g, a, b));
  return emit.isNotNegative(g, emit.unary(g, 'Neg', difference));
}

/** 0, 1, … n − 1: [n]. */
export const count = (g: Graph, n: number): Value =>
  g.shared(`count ${n}`, () =>
    g.constant(
      Float32Array.from({ length: n }, (_, i) => i),
      [n],
    ),
  );
