import * as emit from '../../graph/emit.ts';
import type { Graph, Value } from '../../graph/graph.ts';

export interface Suppression {
  /** [N, A, 4] */
  boxes: Value;
  /** [N, C, A] */
  scores: Value;
  /** Of two boxes of a class that overlap more, the better one stays. */
  overlap: number;
  minScore: number;
}

/** Boxes of one class and image that are looked at, best first. */
const maxOfClass = 100;

/**
 * Scores [N, C, A] with those of boxes that a better one of their class covers set to zero: greedy non-maximum suppression.
 * ONNX's operator lists what stays; the list becomes a mask, so that every shape is known before the graph runs.
 */
export function suppressed(g: Graph, { boxes, scores, overlap, minScore }: Suppression): Value {
  const limits = [
    g.ints([maxOfClass]),
    g.constant(Float32Array.of(overlap), [1]),
    g.constant(Float32Array.of(minScore), [1]),
  ];
  const kept = g.node('NonMaxSuppression', [boxes, scores, ...limits], ['kept', 3], { dtype: 'int64' });
  const ones = g.node('Add', [emit.zerosLike(g, emit.slice(g, kept, 1, 0, 1)), g.scalar(1)], ['kept', 1]);
  const mask = g.node('ScatterND', [emit.zerosLike(g, scores), kept, emit.reshape(g, ones, ['kept'])], scores.shape);
  return emit.mul(g, scores, mask);
}

/** The `k` largest of each row of x [N, A], largest first, and where they stand. */
export function topOf(g: Graph, x: Value, k: number): { values: Value; places: Value } {
  const shape = [emit.dimOf(x, 0), k];
  const [values, places] = [g.value(shape), g.value(shape, 'int64')];
  g.nodeInto('TopK', [x, g.ints([k])], [values, places], { attributes: { axis: 1 } });
  return { values, places };
}
