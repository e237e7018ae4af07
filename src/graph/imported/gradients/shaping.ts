import { NotSupported } from '../../../errors/errors.ts';
import * as emit from '../../emit.ts';
import { elementTypes, type Graph, type Value } from '../../graph.ts';
import { backTo, likeShape, plainAxis, sizesOf } from '../sizes.ts';
import {
  constantInts,
  type ForeignGradient,
  type ForeignOp,
  type GradientRule,
  wholeAttribute,
  wholesAttribute,
} from './gradient.ts';

/** The same numbers in another shape. */
const reshaped: ForeignGradient = ({ g, inputs }, dy) => [likeShape(g, dy, inputs[0] as Value)];

const transposed: ForeignGradient = (op, dy) => {
  const rank = op.y.shape.length;
  const perm = wholesAttribute(op, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  return [
    emit.transpose(
      op.g,
      dy,
      perm.map((_, axis) => perm.indexOf(axis)),
    ),
  ];
};

const expanded: ForeignGradient = ({ g, inputs }, dy) => [backTo(g, dy, inputs[0] as Value)];

/** The size of x along an axis, a vector of one int64. */
function sizeAlong(g: Graph, x: Value, axis: number): Value {
  const dim = x.shape[axis];
  if (typeof dim === 'number') return g.ints([dim]);
  return emit.slice(g, sizesOf(g, x), 0, axis, axis + 1);
}

/** Each part gets its part of dy. */
const concatenated: ForeignGradient = (op, dy) => {
  const { g, inputs } = op;
  const axis = plainAxis(wholeAttribute(op, 'axis', 0), op.y.shape.length);
  const sizes = emit.concat(
    g,
    inputs.map((x) => sizeAlong(g, x, axis)),
    0,
  );
  const parts = inputs.map(({ shape }) => g.value(shape));
  g.nodeInto('Split', [dy, sizes], parts, { attributes: { axis } });
  return parts;
};

/** Zeros around dy, where the other outputs come from. */
const split: ForeignGradient = (op, dy) => {
  const { g, outputs, place } = op;
  const [x] = op.inputs as [Value];
  const axis = plainAxis(wholeAttribute(op, 'axis', 0), x.shape.length);
  const sizes = outputs.map(({ shape }) => shape[axis]);
  if (!sizes.every((size) => typeof size === 'number')) throw open('is split into parts whose sizes are not fixed');
  const sum = (parts: readonly number[]): number => parts.reduce((a, b) => a + b, 0);
  return [emit.pad(g, dy, axis, sum(sizes.slice(0, place)), sum(sizes.slice(place + 1)))];
};

/** Numbers from 0 on in the shape of x, sliced as x was, say where each number of dy belongs. */
const sliced: ForeignGradient = (op, dy) => {
  const { g, inputs } = op;
  const [x, ...bounds] = inputs as [Value, ...Value[]];
  const padded = paddedSlice(op, dy);
  if (padded !== null) return [padded];
  const count = g.node('Size', [x], [], { dtype: 'int64' });
  const whole = (value: bigint): Value => g.constant(BigInt64Array.of(value), [], { dtype: 'int64' });
  const range = g.node('Range', [whole(0n), count, whole(1n)], ['all'], { dtype: 'int64' });
  const places = g.node('Slice', [likeShape(g, range, x), ...bounds], op.y.shape, { dtype: 'int64' });
  const flat = (v: Value): Value => g.node('Reshape', [v, g.ints([-1])], ['some'], { dtype: v.dtype });
  const zeros = g.node('ConstantOfShape', [emit.reshape(g, count, [1])], ['all']);
  const attributes = { axis: 0, reduction: 'add' };
  return [likeShape(g, g.node('ScatterElements', [zeros, flat(places), flat(dy)], ['all'], { attributes }), x)];
};

/** Zeros around dy if bounds and sizes are fixed and all steps are 1; otherwise null. */
function paddedSlice(op: ForeignOp, dy: Value): Value | null {
  const { g, inputs } = op;
  const [x] = inputs as [Value];
  const [starts, ends, steps] = [1, 2, 4].map((place) => constantInts(op, place));
  const axes = inputs[3] === undefined || inputs[3].name === '' ? starts?.map((_, axis) => axis) : constantInts(op, 3);
  const hasSteps = inputs[4] !== undefined && inputs[4].name !== '';
  if (starts === undefined || ends === undefined || axes === undefined) return null;
  if (hasSteps && (steps === undefined || steps.some((step) => step !== 1))) return null;
  let d = dy;
  for (const [i, given] of axes.entries()) {
    const axis = plainAxis(given, x.shape.length);
    const [size, start, end] = [x.shape[axis], starts[i] as number, ends[i] as number];
    if (typeof size !== 'number') return null;
    const at = (bound: number): number => Math.max(0, Math.min(size, bound < 0 ? bound + size : bound));
    const [before, after] = [at(start), size - at(end)];
    if (before > 0 || after > 0) d = emit.pad(g, d, axis, before, after);
  }
  return d;
}

/** Rows `index` of x along an axis: each row of x gets the sum of dy where it was taken. */
const gathered: ForeignGradient = (op, dy) => {
  const { g } = op;
  const [x, index] = op.inputs as [Value, Value];
  const axis = plainAxis(wholeAttribute(op, 'axis', 0), x.shape.length);
  const toFront = (first: number, count: number, rank: number): number[] => {
    const moved = Array.from({ length: count }, (_, i) => first + i);
    return [...moved, ...Array.from({ length: rank }, (_, i) => i).filter((i) => !moved.includes(i))];
  };
  const move = (v: Value, perm: readonly number[]): Value => (axis === 0 ? v : emit.transpose(g, v, perm));
  const perm = toFront(axis, 1, x.shape.length);
  const front = move(x, perm);
  const rest = emit.slice(g, sizesOf(g, front), 0, 1);
  const rows = move(dy, toFront(axis, index.shape.length, dy.shape.length));
  const updates = g.node(
    'Reshape',
    [rows, emit.concat(g, [g.ints([-1]), rest], 0)],
    ['taken', ...front.shape.slice(1)],
  );
  const sums = addRows(op, front, index, updates);
  return [
    move(
      sums,
      perm.map((_, i) => perm.indexOf(i)),
    ),
  ];
};

/** Zeros in the shape of x, to which row i of `rows` [M, …] is added at `index` [i]. */
function addRows({ g, threaded }: ForeignOp, x: Value, index: Value, rows: Value): Value {
  const at = emit.cast(
    g,
    g.node('Reshape', [index, g.ints([-1, 1])], ['taken', 1], { dtype: index.dtype }),
    'int64',
    elementTypes.int64,
  );
  const zeros = g.node('ConstantOfShape', [sizesOf(g, x)], x.shape);
  if (!threaded) return g.node('ScatterND', [zeros, at, rows], x.shape, { attributes: { reduction: 'add' } });
  // several threads of ScatterND lose additions to the same row
  const columns = (v: Value): Value =>
    emit.transpose(g, g.node('Flatten', [v], [v.shape[0] ?? 1, 'numbers'], { attributes: { axis: 1 } }), [1, 0]);
  const [into, added] = [columns(zeros), columns(rows)];
  const size = g.node('Shape', [added], [2], { dtype: 'int64' });
  const spread = g.node('Expand', [emit.transpose(g, at, [1, 0]), size], added.shape, { dtype: 'int64' });
  const attributes = { axis: 1, reduction: 'add' };
  return likeShape(
    g,
    emit.transpose(g, g.node('ScatterElements', [into, spread, added], into.shape, { attributes }), [1, 0]),
    x,
  );
}

/** Places along an axis of this size, those that count from the end as well, as places from the first one. */
function fromFirst(g: Graph, place: Value, size: Value): Value {
  const zero = g.ints([0]);
  const isBack = g.node('Less', [place, zero], place.shape, { dtype: 'bool' });
  const back = g.node('Where', [isBack, size, zero], place.shape, { dtype: 'int64' });
  return g.node('Add', [place, back], place.shape, { dtype: 'int64' });
}

/** Parts of x at places [M, k]. Several threads need one number for each place, so that additions are exact. */
const gatheredNd: ForeignGradient = (op, dy) => {
  const { g } = op;
  const [x, index] = op.inputs as [Value, Value];
  const depth = index.shape.at(-1);
  if (wholeAttribute(op, 'batch_dims', 0) !== 0 || typeof depth !== 'number') throw open('gathers in stacks');
  if (!op.threaded) {
    const zeros = g.node('ConstantOfShape', [sizesOf(g, x)], x.shape);
    return [g.node('ScatterND', [zeros, index, dy], x.shape, { attributes: { reduction: 'add' } })];
  }
  const last = index.shape.length - 1;
  const column = (k: number): Value => fromFirst(g, emit.slice(g, index, last, k, k + 1), sizeAlong(g, x, k));
  let place = column(0);
  for (let k = 1; k < depth; k++) {
    const scaled = g.node('Mul', [place, sizeAlong(g, x, k)], place.shape, { dtype: 'int64' });
    place = g.node('Add', [scaled, column(k)], place.shape, { dtype: 'int64' });
  }
  const rest = emit.slice(g, sizesOf(g, x), 0, depth);
  const sizes = emit.concat(g, [g.ints([-1]), rest], 0);
  const shape = ['places', ...x.shape.slice(depth)];
  const rows = g.node('Reshape', [dy, sizes], shape);
  const flat = g.node('Reshape', [x, sizes], shape);
  return [likeShape(g, addRows(op, flat, place, rows), x)];
};

/** Updates are written, or added, at places: they get dy there, and the rest of the data what is left of it. */
const scattered: ForeignGradient = (op, dy, needs) => {
  const { g, inputs } = op;
  const [, index, updates] = inputs as [Value, Value, Value];
  const { reduction = 'none' } = op.node.attributes;
  if (reduction !== 'none' && reduction !== 'add') throw open('scatters with another reduction than a sum');
  const zeros = (): Value => g.node('ConstantOfShape', [sizesOf(g, updates)], updates.shape);
  const data = (): Value => (reduction === 'add' ? dy : g.node('ScatterND', [dy, index, zeros()], dy.shape));
  return [needs(0) ? data() : null, null, needs(2) ? g.node('GatherND', [dy, index], updates.shape) : null];
};

const open = (what: string): NotSupported =>
  new NotSupported(`the encoder ${what}, which has no gradient here`, {
    hint: "It can be used as it is: families => '{encoder}'.",
  });

/** Operators that move numbers. */
export const shaping: Readonly<Record<string, GradientRule>> = {
  ':Reshape': { gradient: reshaped, through: [0] },
  ':Flatten': { gradient: reshaped },
  ':Squeeze': { gradient: reshaped, through: [0] },
  ':Unsqueeze': { gradient: reshaped, through: [0] },
  ':Transpose': { gradient: transposed },
  ':Expand': { gradient: expanded, through: [0] },
  ':Concat': { gradient: concatenated },
  ':Split': { gradient: split, through: [0] },
  ':Slice': { gradient: sliced, through: [0] },
  ':Gather': { gradient: gathered, through: [0] },
  ':GatherND': { gradient: gatheredNd, through: [0] },
  ':ScatterND': { gradient: scattered, through: [0, 2] },
};
