import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { add } from './arithmetic.ts';

/** y = x·w with x [..., I], w [I, O]; dx = dy·wᵀ, dw = xᵀ·dy with the leading dimensions joined into rows. */
export function matmul(t: Tape, x: Value, w: Value): Value {
  const g = t.graph;
  return t.record(emit.matmul(g, x, w), [x, w], (dy, needs) => {
    const rows = emit.flatten(g, dy);
    const dx = needs(x) ? emit.reshape(g, emit.matmul(g, rows, w, { tb: true }), x.shape) : null;
    return [dx, needs(w) ? emit.matmul(g, emit.flatten(g, x), rows, { ta: true }) : null];
  });
}

/** y = x·w + b with x [..., I], w [I, O], b [O]. */
export const dense = (t: Tape, x: Value, w: Value, b: Value): Value => add(t, matmul(t, x, w), b);

/** Stacks of matrices multiplied pairwise: y[i] = a[i]·b[i]; da[i] = dy[i]·b[i]ᵀ, db[i] = a[i]ᵀ·dy[i]. */
export function batchMatmul(t: Tape, a: Value, b: Value): Value {
  const g = t.graph;
  return t.record(emit.batchMatmul(g, a, b), [a, b], (dy, needs) => [
    needs(a) ? emit.batchMatmul(g, dy, b, { tb: true }) : null,
    needs(b) ? emit.batchMatmul(g, a, dy, { ta: true }) : null,
  ]);
}
