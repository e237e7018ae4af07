import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/** y = max(x, 0); dx = dy where y > 0. */
export function relu(t: Tape, x: Value): Value {
  const y = emit.unary(t.graph, 'Relu', x);
  return t.record(y, [x], (dy) => [emit.mul(t.graph, dy, emit.isPositive(t.graph, y))]);
}

/** y = tanh x; dx = dy (1 − y²). */
export function tanh(t: Tape, x: Value): Value {
  const g = t.graph;
  const y = emit.unary(g, 'Tanh', x);
  return t.record(y, [x], (dy) => [emit.mul(g, dy, emit.sub(g, g.scalar(1), emit.mul(g, y, y)))]);
}

/** y = 1 / (1 + e⁻ˣ); dx = dy · y (1 − y). */
export function sigmoid(t: Tape, x: Value): Value {
  const g = t.graph;
  const y = emit.unary(g, 'Sigmoid', x);
  return t.record(y, [x], (dy) => [emit.mul(g, dy, emit.mul(g, y, emit.sub(g, g.scalar(1), y)))]);
}
