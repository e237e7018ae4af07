import { NotSupported } from '../../../errors/errors.ts';
import * as emit from '../../emit.ts';
import type { Value } from '../../graph.ts';
import { plainAxis, ratioOfSizes, sizesOf } from '../sizes.ts';
import { constantInts, type ForeignGradient, type ForeignOp, type GradientRule, wholeAttribute } from './gradient.ts';

/** The axes that are reduced, from the first one on. */
function axesOf(op: ForeignOp): readonly number[] {
  const [x, axes] = op.inputs as [Value, Value | undefined];
  const all = x.shape.map((_, axis) => axis);
  if (axes === undefined || axes.name === '') return wholeAttribute(op, 'noop_with_empty_axes', 0) === 1 ? [] : all;
  const given = constantInts(op, 1);
  if (given === undefined) {
    throw new NotSupported('the encoder reduces axes that are computed, which has no gradient here', {
      hint: "It can be used as it is: families => '{encoder}'.",
    });
  }
  if (given.length === 0) return wholeAttribute(op, 'noop_with_empty_axes', 0) === 1 ? [] : all;
  return given.map((axis) => plainAxis(axis, x.shape.length));
}

/** A value of the result's shape with the reduced axes as 1. */
function kept(op: ForeignOp, value: Value): Value {
  const { g } = op;
  const [x] = op.inputs as [Value];
  const axes = axesOf(op);
  if (wholeAttribute(op, 'keepdims', 1) === 1 || axes.length === 0) return value;
  const shape = x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
  return g.node('Unsqueeze', [value, g.ints([...axes].sort((a, b) => a - b))], shape);
}

/** Of a reduced gradient, in the shape of x. */
const spread = (op: ForeignOp, value: Value): Value => {
  const [x] = op.inputs as [Value];
  return op.g.node('Expand', [kept(op, value), sizesOf(op.g, x)], x.shape);
};

const sum: ForeignGradient = (op, dy) => [spread(op, dy)];

const mean: ForeignGradient = (op, dy) => {
  const [x] = op.inputs as [Value];
  return [spread(op, emit.div(op.g, dy, ratioOfSizes(op.g, x, op.y)))];
};

/** Each of equal extrema gets all of dy. */
const extremum: ForeignGradient = (op, dy) => {
  const { g, y } = op;
  const [x] = op.inputs as [Value];
  const distance = emit.unary(g, 'Abs', emit.sub(g, x, kept(op, y)));
  return [emit.mul(g, kept(op, dy), emit.isNotNegative(g, emit.unary(g, 'Neg', distance)))];
};

/** y = Σ x²: dx = 2 x dy. */
const sumOfSquares: ForeignGradient = (op, dy) => {
  const { g } = op;
  const [x] = op.inputs as [Value];
  return [emit.mul(g, emit.mul(g, x, g.scalar(2)), kept(op, dy))];
};

/** y = √(Σ x²): dx = x dy / y; the bound keeps it finite where all x are 0. */
const norm: ForeignGradient = (op, dy) => {
  const { g, y } = op;
  const [x] = op.inputs as [Value];
  const length = emit.binary(g, 'Max', y, g.scalar(1e-12));
  return [emit.mul(g, x, kept(op, emit.div(g, dy, length)))];
};

/** The mean over all places of a channel. */
const globalMean: ForeignGradient = (op, dy) => {
  const { g } = op;
  const [x] = op.inputs as [Value];
  return [g.node('Expand', [emit.div(g, dy, ratioOfSizes(g, x, op.y)), sizesOf(g, x)], x.shape)];
};

export const reductions: Readonly<Record<string, GradientRule>> = {
  ':ReduceSum': { gradient: sum, through: [0] },
  ':ReduceMean': { gradient: mean, through: [0] },
  ':ReduceMax': { gradient: extremum, through: [0] },
  ':ReduceMin': { gradient: extremum, through: [0] },
  ':ReduceSumSquare': { gradient: sumOfSquares, through: [0] },
  ':ReduceL2': { gradient: norm, through: [0] },
  ':GlobalAveragePool': { gradient: globalMean },
};
