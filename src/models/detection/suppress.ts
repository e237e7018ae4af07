import * as emit from '../../graph/emit.ts';
import type { Graph, Value } from '../../graph/graph.ts';

export interface Suppression {
  /** [N, A, 4] */
  boxes: Value;
  /** [N, C, A] */
  scores: Value;
  /** Of two boxes of a class that overlap more, only the better one is kept. */
  overlap: number;
  minScore: number;
}

/** Maximum boxes kept for one class and image. */
const maxPerClass = 100;

/**
 * Greedy non-maximum suppression: scores [N, C, A], zero for boxes that overlap a better one of their class. ONNX's operator
 * returns a list of the kept boxes; it is converted to a mask, so that all shapes are known before the graph runs.
 */
export function suppress(g: Graph, { boxes, scores, overlap, minScore }: Suppression): Value {
  const limits = [
    g.ints([maxPerClass]),
    g.constant(Float32Array.of(overlap), [1]),
    g.constant(Float32Array.of(minScore), [1]),
  ];
  const kept = g.node('NonMaxSuppression', [boxes, scores, ...limits], ['kept', 3], { dtype: 'int64' });
  const ones = g.node('Add', [emit.zerosLike(g, emit.slice(g, kept, 1, 0, 1)), g.scalar(1)], ['kept', 1]);
  const mask = g.node('ScatterND', [emit.zerosLike(g, scores), kept, emit.reshape(g, ones, ['kept'])], scores.shape);
  return emit.mul(g, scores, mask);
}

/** The `k` largest values of each row of x [N, A], largest first, and their indices. */
export function topK(g: Graph, x: Value, k: number): { values: Value; indices: Value } {
  const shape = [emit.dimOf(x, 0), k];
  const [values, indices] = [g.value(shape), g.value(shape, 'int64')];
  g.nodeInto('TopK', [x, g.ints([k])], [values, indices], { attributes: { axis: 1 } });
  return { values, indices };
}
