import * as emit from '../emit.ts';
import type { Shape, Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/** The same numbers in another shape; dx = dy in the old shape. */
export function reshape(t: Tape, x: Value, shape: Shape): Value {
  return t.record(emit.reshape(t.graph, x, shape), [x], (dy) => [emit.reshape(t.graph, dy, x.shape)]);
}

/** Axes in the order of `perm`; dx = dy in the inverse order. */
export function transpose(t: Tape, x: Value, perm: readonly number[]): Value {
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return t.record(emit.transpose(t.graph, x, perm), [x], (dy) => [emit.transpose(t.graph, dy, inverse)]);
}

/** Parts side by side on an axis whose sizes are numbers; each part's gradient is its slice of dy. */
export function concat(t: Tape, parts: readonly Value[], axis: number): Value {
  return t.record(emit.concat(t.graph, parts, axis), parts, (dy) => {
    let start = 0;
    return parts.map((part) => {
      const end = start + Number(part.shape[axis]);
      const dx = emit.slice(t.graph, dy, axis, start, end);
      start = end;
      return dx;
    });
  });
}
