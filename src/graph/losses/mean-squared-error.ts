import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { countOf, elementGradient, type Weighting, weightedSum } from './weighting.ts';

/** (x − y)², element by element; dx = 2(x − y). */
export function meanSquaredError(t: Tape, x: Value, y: Value, weighting: Weighting = {}): Value {
  const g = t.graph;
  const count = countOf(x);
  const d = emit.sub(g, x, y);
  return t.record(weightedSum(g, emit.mul(g, d, d), weighting, count), [x], (dloss) => {
    const share = emit.mul(g, elementGradient(g, dloss, weighting, count), g.scalar(2));
    return [emit.mul(g, d, share)];
  });
}
