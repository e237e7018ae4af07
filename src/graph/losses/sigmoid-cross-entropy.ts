import * as emit from '../emit.ts';
import type { Graph, Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { countOf, elementGradient, type Weighting, weightedSum } from './weighting.ts';

/**
 * Loss of logits x against targets y in [0, 1], element by element: −y log σ(x) − (1 − y) log(1 − σ(x)) = softplus(x) − y·x;
 * dx = σ(x) − y.
 */
export function sigmoidCrossEntropy(t: Tape, x: Value, y: Value, weighting: Weighting = {}): Value {
  const g = t.graph;
  const count = countOf(x);
  return t.record(weightedSum(g, binaryEntropy(g, x, y), weighting, count), [x], (dloss) => {
    const difference = emit.sub(g, emit.unary(g, 'Sigmoid', x), y);
    return [emit.mul(g, difference, elementGradient(g, dloss, weighting, count))];
  });
}

/** The elements, without the overflow that log σ has for large |x|. */
export const binaryEntropy = (g: Graph, x: Value, y: Value): Value =>
  emit.sub(g, emit.unary(g, 'Softplus', x), emit.mul(g, x, y));
