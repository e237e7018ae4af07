import * as emit from '../emit.ts';
import type { Graph, Value } from '../graph.ts';

/** How a loss sums its elements: Σ weight · element / normaliser. Neither has a gradient. */
export interface Weighting {
  /** Factor of each element, in a shape that broadcasts to theirs; 0 leaves an element out. 1 if not given. */
  weights?: Value;
  /**
   * Divisor of the sum: a scalar, above zero. If not given, the number of elements, including those of weight 0, so that
   * a batch with few elements of weight 1 weighs no more than one with many.
   */
  normaliser?: Value | number;
}

/** Σ weight · element / normaliser, a scalar; `count` is the normaliser if none is given. */
export function weightedSum(g: Graph, elements: Value, { weights, normaliser }: Weighting, count: number): Value {
  const axes = elements.shape.map((_, axis) => axis);
  const total = emit.reduce(g, 'ReduceSum', weights === undefined ? elements : emit.mul(g, elements, weights), axes);
  return emit.reshape(g, emit.div(g, total, normaliserOf(g, normaliser, count)), []);
}

/** The loss's gradient by an element: dloss · weight / normaliser. */
export function elementGradient(g: Graph, dloss: Value, { weights, normaliser }: Weighting, count: number): Value {
  const scale = emit.div(g, dloss, normaliserOf(g, normaliser, count));
  return weights === undefined ? scale : emit.mul(g, weights, scale);
}

export const countOf = ({ shape }: Value): number => Number(emit.product(shape));

const normaliserOf = (g: Graph, given: Value | number | undefined, count: number): Value =>
  given === undefined || typeof given === 'number' ? g.scalar(given ?? count) : given;
