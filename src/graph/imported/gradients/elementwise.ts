import { NotSupported } from '../../../errors/errors.ts';
import * as emit from '../../emit.ts';
import type { Graph, Value } from '../../graph.ts';
import { backTo } from '../sizes.ts';
import { type ForeignGradient, type ForeignOp, type GradientRule, realAttribute } from './gradient.ts';

/** Of one input: dx = dy · slope(x, y). */
const unary =
  (slope: (g: Graph, x: Value, y: Value, op: ForeignOp) => Value): ForeignGradient =>
  (op, dy) => {
    const [x] = op.inputs as [Value];
    return [emit.mul(op.g, dy, slope(op.g, x, op.y, op))];
  };

/** Of inputs that are broadcast: each gets what `part` says of its place. */
const broadcast =
  (part: (op: ForeignOp, dy: Value, place: number) => Value): ForeignGradient =>
  (op, dy, needs) =>
    op.inputs.map((x, place) => (needs(place) ? backTo(op.g, part(op, dy, place), x) : null));

const two = (op: ForeignOp): [Value, Value] => [op.inputs[0] as Value, op.inputs[1] as Value];

const quotient = broadcast((op, dy, place) => {
  const [, b] = two(op);
  const da = emit.div(op.g, dy, b);
  return place === 0 ? da : emit.unary(op.g, 'Neg', emit.mul(op.g, da, op.y));
});

const TYPE_FLOAT = 1;

/** xᵖ: dx = dy · p · xᵖ⁻¹, dp = dy · y · ln x. */
const power = broadcast((op, dy, place) => {
  const { g, y } = op;
  const [x, given] = two(op);
  if (place === 1) return emit.mul(g, dy, emit.mul(g, y, emit.unary(g, 'Log', x)));
  const p = g.node('Cast', [given], given.shape, { attributes: { to: TYPE_FLOAT } }); // it may be of whole numbers
  const less = emit.binary(g, 'Pow', x, emit.sub(g, p, g.scalar(1)));
  return emit.mul(g, dy, emit.mul(g, p, less));
});

/** The largest, or least, of several: equal ones each get all of dy. */
const extremum = (sign: 1 | -1): ForeignGradient =>
  broadcast((op, dy, place) => {
    const { g, y } = op;
    const x = op.inputs[place] as Value;
    const difference = sign === 1 ? emit.sub(g, x, y) : emit.sub(g, y, x);
    return emit.mul(g, dy, emit.isNotNegative(g, difference));
  });

const chosen: ForeignGradient = (op, dy, needs) => {
  const { g, inputs } = op;
  const condition = inputs[0] as Value;
  const part = (place: 1 | 2): Value | null => {
    if (!needs(place)) return null;
    const pair = place === 1 ? [dy, g.scalar(0)] : [g.scalar(0), dy];
    return backTo(g, g.node('Where', [condition, ...pair], dy.shape), inputs[place] as Value);
  };
  return [null, part(1), part(2)];
};

/** x limited to [low, high]: dx = dy where x is within. */
const clipped = unary((g, x, y) => {
  const excess = emit.unary(g, 'Abs', emit.sub(g, x, y));
  return emit.isNotNegative(g, emit.unary(g, 'Neg', excess));
});

const cast: ForeignGradient = ({ node, g }, dy) => {
  if (node.attributes['to'] === TYPE_FLOAT) return [emit.unary(g, 'Identity', dy)];
  throw new NotSupported('the encoder computes in numbers of less or more precision than float32', {
    hint: 'Export it again with weights of float32.',
  });
};

/** 1 where x > 0, elsewhere `below`. */
const leaky = (g: Graph, x: Value, below: Value): Value => {
  const above = emit.isPositive(g, x);
  return emit.add(g, above, emit.mul(g, emit.sub(g, g.scalar(1), above), below));
};

const one = (g: Graph): Value => g.scalar(1);

/** Operators of single numbers. */
export const elementwise: Readonly<Record<string, GradientRule>> = {
  ':Add': { gradient: broadcast((_, dy) => dy) },
  ':Sub': { gradient: broadcast(({ g }, dy, place) => (place === 0 ? dy : emit.unary(g, 'Neg', dy))) },
  ':Mul': { gradient: broadcast((op, dy, place) => emit.mul(op.g, dy, two(op)[1 - place] as Value)) },
  ':Div': { gradient: quotient },
  ':Pow': { gradient: power },
  ':Sum': { gradient: broadcast((_, dy) => dy) },
  ':Max': { gradient: extremum(1) },
  ':Min': { gradient: extremum(-1) },
  ':Where': { gradient: chosen, through: [1, 2] },
  ':Clip': { gradient: clipped, through: [0] },
  ':Identity': { gradient: (_, dy) => [dy] },
  ':Cast': { gradient: cast },
  ':Neg': { gradient: ({ g }, dy) => [emit.unary(g, 'Neg', dy)] },
  ':Abs': { gradient: unary((g, x) => emit.sign(g, x)) },
  ':Exp': { gradient: unary((_, _x, y) => y) },
  ':Log': { gradient: unary((g, x) => emit.unary(g, 'Reciprocal', x)) },
  ':Sqrt': { gradient: unary((g, _, y) => emit.div(g, g.scalar(0.5), y)) },
  ':Reciprocal': { gradient: unary((g, _, y) => emit.unary(g, 'Neg', emit.mul(g, y, y))) },
  ':Sin': { gradient: unary((g, x) => emit.unary(g, 'Cos', x)) },
  ':Cos': { gradient: unary((g, x) => emit.unary(g, 'Neg', emit.unary(g, 'Sin', x))) },
  ':Tanh': { gradient: unary((g, _, y) => emit.sub(g, one(g), emit.mul(g, y, y))) },
  ':Sigmoid': { gradient: unary((g, _, y) => emit.mul(g, y, emit.sub(g, one(g), y))) },
  ':Softplus': { gradient: unary((g, x) => emit.unary(g, 'Sigmoid', x)) },
  ':Relu': { gradient: unary((g, _, y) => emit.isPositive(g, y)) },
  ':LeakyRelu': { gradient: unary((g, x, _, op) => leaky(g, x, g.scalar(realAttribute(op, 'alpha', 0.01)))) },
  ':Elu': {
    gradient: unary((g, x, y, op) => leaky(g, x, emit.add(g, y, g.scalar(realAttribute(op, 'alpha', 1))))),
  },
  // erf'(x) = 2/√π · e^(−x²)
  ':Erf': {
    gradient: unary((g, x) =>
      emit.mul(g, emit.unary(g, 'Exp', emit.unary(g, 'Neg', emit.mul(g, x, x))), g.scalar(2 / Math.sqrt(Math.PI))),
    ),
  },
};
