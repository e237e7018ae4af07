import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/** y = eˣ; dx = dy · y. */
export function exp(t: Tape, x: Value): Value {
  const y = emit.unary(t.graph, 'Exp', x);
  return t.record(y, [x], (dy) => [emit.mul(t.graph, dy, y)]);
}

/** y = ln x; dx = dy / x. */
export function log(t: Tape, x: Value): Value {
  return t.record(emit.unary(t.graph, 'Log', x), [x], (dy) => [emit.div(t.graph, dy, x)]);
}

/** y = cos x; dx = −dy · sin x. */
export function cos(t: Tape, x: Value): Value {
  const g = t.graph;
  const slope = (): Value => emit.unary(g, 'Neg', emit.unary(g, 'Sin', x));
  return t.record(emit.unary(g, 'Cos', x), [x], (dy) => [emit.mul(g, dy, slope())]);
}

/** y = |x|; dx = dy · sign x, zero at 0. */
export function abs(t: Tape, x: Value): Value {
  const g = t.graph;
  return t.record(emit.unary(g, 'Abs', x), [x], (dy) => [emit.mul(g, dy, emit.sign(g, x))]);
}

/** y = x limited to [low, high]; dx = dy where x is within. */
export function clip(t: Tape, x: Value, low: number, high: number): Value {
  const g = t.graph;
  const y = emit.clip(g, x, low, high);
  return t.record(y, [x], (dy) => {
    const excess = emit.unary(g, 'Abs', emit.sub(g, x, y));
    return [emit.mul(g, dy, emit.isNotNegative(g, emit.unary(g, 'Neg', excess)))];
  });
}

/** The larger of a and b, with broadcasting; da = Σ dy where a ≥ b, db = Σ dy elsewhere. */
export const maximum = (t: Tape, a: Value, b: Value): Value => extremum(t, 'Max', a, b);

/** The smaller of a and b, with broadcasting; da = Σ dy where a ≤ b, db = Σ dy elsewhere. */
export const minimum = (t: Tape, a: Value, b: Value): Value => extremum(t, 'Min', a, b);

function extremum(t: Tape, op: 'Max' | 'Min', a: Value, b: Value): Value {
  const g = t.graph;
  return t.record(emit.binary(g, op, a, b), [a, b], (dy) => {
    const [first, second] = op === 'Max' ? [a, b] : [b, a];
    const da = emit.mul(g, dy, emit.isNotNegative(g, emit.sub(g, first, second)));
    return [emit.unbroadcast(g, da, a.shape), emit.unbroadcast(g, emit.sub(g, dy, da), b.shape)];
  });
}
