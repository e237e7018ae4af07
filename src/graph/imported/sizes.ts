import * as emit from '../emit.ts';
import { type Dim, elementTypes, type Graph, type Shape, type Value } from '../graph.ts';

// Shapes of values of foreign graphs: what is no number is read when the graph runs.

/** A vector of the sizes of x, int64. */
export const sizesOf = (g: Graph, x: Value): Value =>
  isFixed(x.shape) ? g.ints(x.shape) : g.node('Shape', [x], [x.shape.length], { dtype: 'int64' });

const isFixed = (shape: Shape): shape is readonly number[] => shape.every((dim) => typeof dim === 'number');

/** The numbers of d in the shape of x. */
export function likeShape(g: Graph, d: Value, x: Value): Value {
  if (sameShape(d.shape, x.shape)) return d;
  const open = x.shape.filter((dim) => typeof dim === 'string').length;
  const sizes = open === 1 ? g.ints(x.shape.map((dim) => (typeof dim === 'string' ? -1 : dim))) : sizesOf(g, x);
  return g.node('Reshape', [d, sizes], x.shape, { dtype: d.dtype });
}

const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, axis) => dim === b[axis]);

/** Sums d, which has the shape of a broadcast result, back to the shape of the operand x. */
export function backTo(g: Graph, d: Value, x: Value): Value {
  const extra = d.shape.length - x.shape.length;
  const own = (axis: number): Dim | undefined => (axis < extra ? undefined : x.shape[axis - extra]);
  const isClear = d.shape.every((dim, axis) => own(axis) === undefined || own(axis) === 1 || own(axis) === dim);
  if (!isClear) return backToUnknown(g, d, x);
  const axes = d.shape.flatMap((dim, axis) => (own(axis) === dim ? [] : [axis]));
  return axes.length === 0 ? d : likeShape(g, emit.reduce(g, 'ReduceSum', d, axes), x);
}

/** As {@link backTo} where it is not known in advance which sizes are 1: those in which the shapes differ. */
function backToUnknown(g: Graph, d: Value, x: Value): Value {
  const extra = d.shape.length - x.shape.length;
  const ones = g.ints(Array.from({ length: extra }, () => 1));
  const own = extra === 0 ? sizesOf(g, x) : emit.concat(g, [ones, sizesOf(g, x)], 0);
  const equal = g.node('Equal', [sizesOf(g, d), own], [d.shape.length], { dtype: 'bool' });
  const differ = g.node('Not', [equal], equal.shape, { dtype: 'bool' });
  const axes = emit.reshape(g, g.node('NonZero', [differ], [1, 'axes'], { dtype: 'int64' }), ['axes']);
  const shape = d.shape.map((dim, axis) => (axis < extra ? 1 : (x.shape[axis - extra] ?? dim)));
  const attributes = { keepdims: 1, noop_with_empty_axes: 1 };
  return likeShape(g, g.node('ReduceSum', [d, axes], shape, { attributes }), x);
}

/** How many numbers of x there are for each of y, as a float. */
export function ratioOfSizes(g: Graph, x: Value, y: Value): Value {
  const known = (shape: Shape): number => shape.reduce<number>((size, dim) => size * Number(dim), 1);
  if (isFixed(x.shape) && isFixed(y.shape)) return g.scalar(known(x.shape) / known(y.shape));
  const [all, some] = [x, y].map((value) => g.node('Size', [value], [], { dtype: 'int64' })) as [Value, Value];
  const count = g.node('Div', [all, some], [], { dtype: 'int64' });
  return emit.cast(g, count, 'float32', elementTypes.float32);
}

/** An axis counted from the first one. */
export const plainAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);
