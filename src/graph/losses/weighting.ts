import * as emit from '../emit.ts';
import type { Graph, Value } from '../graph.ts';

/** How a loss sums up its elements: Σ weight · element / normaliser. No gradient reaches either. */
export interface Weighting {
  /** Factor of each element, in a shape that broadcasts to theirs; 0 leaves an element out. 1 where not given. */
  weights?: Value;
  /**
   * What the sum is divided by: a scalar, above zero. The number of elements where not given, those of weight 0 included,
   * so that a batch with few of them weighs no more than one with many.
   */
  normaliser?: Value | number;
}

/** Σ weight · element / normaliser, a scalar; `count` is the normaliser where none is given. */
export function weightedSum(g: Graph, elements: Value, { weights, normaliser }: Weighting, count: number): Value {
  const axes = elements.shape.map((_, axis) => axis);
  const total = emit.reduce(g, 'ReduceSum', weights === undefined ? elements : emit.mul(g, elements, weights), axes);
  return emit.reshape(g, emit.div(g, total, normaliserOf(g, normaliser, count)), []);
}

/** What an element's gradient is multiplied by: dloss · weight / normaliser. */
export function shareOf(g: Graph, dloss: Value, { weights, normaliser }: Weighting, count: number): Value {
  const share = emit.div(g, dloss, normaliserOf(g, normaliser, count));
  return weights === undefined ? share : emit.mul(g, weights, share);
}

export const countOf = ({ shape }: Value): number => Number(emit.product(shape));

const normaliserOf = (g: Graph, given: Value | number | undefined, count: number): Value =>
  given === undefined || typeof given === 'number' ? g.scalar(given ?? count) : given;
