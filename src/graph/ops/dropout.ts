import * as emit from '../emit.ts';
import { elementTypes, type Shape, type Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/**
 * Inverted dropout (Srivastava et al. 2014): y = x ⊙ m / (1 − p) with m = [u ≥ p], u uniform and new in each step;
 * dx = dy ⊙ m / (1 − p). The ratio p is a scalar of the graph, so trials with different ratios share one graph. Along a dimension that is 1
 * in the shape of u, all of x have the same u: drawing it takes longer than a product of matrices of that size.
 */
export function dropout(t: Tape, x: Value, ratio: Value, drawn: Shape = x.shape): Value {
  const g = t.graph;
  const noise = t.noise(drawn);
  if (noise === null) return x;
  const keptUnits = emit.cast(
    g,
    g.node('GreaterOrEqual', [noise, ratio], drawn, { dtype: 'bool' }),
    'float32',
    elementTypes.float32,
  );
  const scale = emit.div(g, keptUnits, emit.sub(g, g.scalar(1), ratio));
  return t.record(emit.mul(g, x, scale), [x], (dy) => [emit.mul(g, dy, scale)]);
}
