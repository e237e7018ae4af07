import { toPlain } from '../blocked/layout.ts';
import * as emit from '../emit.ts';
import type { Shape, Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/** The same numbers in another shape; dx = dy in the old shape. */
export function reshape(t: Tape, given: Value, shape: Shape): Value {
  const x = toPlain(t, given);
  return t.record(emit.reshape(t.graph, x, shape), [x], (dy) => [emit.reshape(t.graph, dy, x.shape)]);
}

/** Axes in the order of `perm`; dx = dy in the inverse order. */
export function transpose(t: Tape, given: Value, perm: readonly number[]): Value {
  const x = toPlain(t, given);
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return t.record(emit.transpose(t.graph, x, perm), [x], (dy) => [emit.transpose(t.graph, dy, inverse)]);
}

/**
 * Parts concatenated on an axis whose sizes are numbers; each part's gradient is its slice of dy. Blocked images are joined
 * without reordering if all are blocked and the axis is that of the channels.
 */
export function concat(t: Tape, given: readonly Value[], axis: number): Value {
  const parts = axis === 1 && given.every((part) => part.blocked) ? given : given.map((part) => toPlain(t, part));
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

/** x[…, start:end, …] on an axis whose size is a number; dx = dy with zeros for the rest of x. */
export function slice(
  t: Tape,
  given: Value,
  { axis, start, end }: { axis: number; start: number; end: number },
): Value {
  const x = toPlain(t, given);
  return t.record(emit.slice(t.graph, x, axis, start, end), [x], (dy) => [
    emit.pad(t.graph, dy, axis, start, Number(x.shape[axis]) - end),
  ]);
}

/** Zeros before x on an axis; dx = dy without them. */
export function padBefore(t: Tape, given: Value, { axis, count }: { axis: number; count: number }): Value {
  const x = toPlain(t, given);
  return t.record(emit.pad(t.graph, x, axis, count, 0), [x], (dy) => [
    { ...emit.slice(t.graph, dy, axis, count), shape: x.shape },
  ]);
}

/** x without gradient: a copy that is not recorded. */
export const detach = (t: Tape, x: Value): Value => emit.unary(t.graph, 'Identity', x);
