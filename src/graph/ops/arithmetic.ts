import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/** y = a + b with broadcasting; da = Σ dy, db = Σ dy over the dimensions that were broadcast. */
export function add(t: Tape, a: Value, b: Value): Value {
  return t.record(emit.add(t.graph, a, b), [a, b], (dy) => [
    emit.unbroadcast(t.graph, dy, a.shape),
    emit.unbroadcast(t.graph, dy, b.shape),
  ]);
}

/** y = a − b; da = Σ dy, db = −Σ dy. */
export function sub(t: Tape, a: Value, b: Value): Value {
  return t.record(emit.sub(t.graph, a, b), [a, b], (dy) => [
    emit.unbroadcast(t.graph, dy, a.shape),
    emit.unbroadcast(t.graph, emit.unary(t.graph, 'Neg', dy), b.shape),
  ]);
}

/** y = a / b; da = Σ dy / b, db = −Σ dy ⊙ y / b. */
export function div(t: Tape, a: Value, b: Value): Value {
  const g = t.graph;
  const y = emit.div(g, a, b);
  return t.record(y, [a, b], (dy, needs) => {
    const da = emit.div(g, dy, b);
    const db = (): Value => emit.unary(g, 'Neg', emit.mul(g, da, y));
    return [emit.unbroadcast(g, da, a.shape), needs(b) ? emit.unbroadcast(g, db(), b.shape) : null];
  });
}

/** y = a ⊙ b; da = Σ dy ⊙ b, db = Σ dy ⊙ a. */
export function mul(t: Tape, a: Value, b: Value): Value {
  return t.record(emit.mul(t.graph, a, b), [a, b], (dy, needs) => [
    needs(a) ? emit.unbroadcast(t.graph, emit.mul(t.graph, dy, b), a.shape) : null,
    needs(b) ? emit.unbroadcast(t.graph, emit.mul(t.graph, dy, a), b.shape) : null,
  ]);
}
