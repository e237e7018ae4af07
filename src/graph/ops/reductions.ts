import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/** y = Σ x over `axes`, kept as size 1; dx = dy broadcast. */
export function sum(t: Tape, x: Value, axes: readonly number[]): Value {
  const g = t.graph;
  const y = emit.reduce(g, 'ReduceSum', x, axes);
  return t.record(y, [x], (dy) => [emit.add(g, emit.zerosLike(g, x), dy)]);
}

/** y = mean of x over `axes`, kept as size 1; dx = dy / n broadcast. */
export function mean(t: Tape, x: Value, axes: readonly number[]): Value {
  const g = t.graph;
  const n = axes.reduce((count, axis) => count * Number(emit.dimOf(x, axis)), 1);
  const y = emit.reduce(g, 'ReduceMean', x, axes);
  return t.record(y, [x], (dy) => [emit.add(g, emit.zerosLike(g, x), emit.mul(g, dy, g.scalar(1 / n)))]);
}

/** y = max of x over one axis, kept as size 1; dx = dy where x = y, each of equal maxima gets all of dy. */
export function max(t: Tape, x: Value, axis: number): Value {
  const g = t.graph;
  const y = emit.reduce(g, 'ReduceMax', x, [axis]);
  return t.record(y, [x], (dy) => {
    return [emit.mul(g, dy, emit.isNotNegative(g, emit.sub(g, x, y)))];
  });
}
