import * as emit from '../../graph/emit.ts';
import type { Graph, Value } from '../../graph/graph.ts';
import { overlaps } from './overlap.ts';

/** Boxes that overlap more say the same of an object, each a little differently. */
const sameBox = 0.7;

export interface Opinions {
  /** [N, A, 4] */
  boxes: Value;
  /** How likely each of them has the class of each chosen box: [N, K, A]. */
  scores: Value;
}

/**
 * Each chosen box [N, K, 4] moved to the mean of all boxes that say the same, weighted by their scores (box voting, Gidaris and
 * Komodakis 2015): the neighbours that suppression strikes out know about as well where an object ends.
 */
export function agreed(g: Graph, chosen: Value, { boxes, scores }: Opinions): Value {
  const same = emit.positive(g, emit.sub(g, overlaps(g, chosen, boxes), g.scalar(sameBox)));
  const weights = emit.mul(g, same, scores);
  const total = emit.reduce(g, 'ReduceSum', weights, [2]);
  return emit.div(g, emit.batchMatmul(g, weights, boxes), emit.binary(g, 'Max', total, g.scalar(1e-6)));
}
