import * as emit from '../../emit.ts';
import type { Graph, Value } from '../../graph.ts';
import { backTo, plainAxis } from '../sizes.ts';
import { type ForeignGradient, type GradientRule, realAttribute, wholeAttribute } from './gradient.ts';

/** dx = y ⊙ (dy − Σ dy ⊙ y) along the axis. */
const softmax: ForeignGradient = (op, dy) => {
  const { g, y } = op;
  const axis = plainAxis(wholeAttribute(op, 'axis', -1), y.shape.length);
  const both = emit.mul(g, dy, y);
  return [emit.sub(g, both, emit.mul(g, y, emit.reduce(g, 'ReduceSum', both, [axis])))];
};

/** dx = dy − eʸ Σ dy along the axis. */
const logSoftmax: ForeignGradient = (op, dy) => {
  const { g, y } = op;
  const axis = plainAxis(wholeAttribute(op, 'axis', -1), y.shape.length);
  const sum = emit.reduce(g, 'ReduceSum', dy, [axis]);
  return [emit.sub(g, dy, emit.mul(g, emit.unary(g, 'Exp', y), sum))];
};

const inverseRoot = (g: Graph, x: Value, epsilon: number): Value =>
  emit.unary(g, 'Reciprocal', emit.unary(g, 'Sqrt', emit.add(g, x, g.scalar(epsilon))));

/**
 * y = scale ⊙ x̂ + bias with x̂ = (x − μ) s, s = 1/√(σ² + ε) (Ba et al. 2016). With h = dy ⊙ scale and means over the axes:
 * dx = s (h − mean h − x̂ mean(h ⊙ x̂)), dscale = Σ dy ⊙ x̂, dbias = Σ dy.
 */
const layerNorm: ForeignGradient = (op, dy, needs) => {
  const { g } = op;
  const [x, scale, bias] = op.inputs as [Value, Value, Value | undefined];
  const rank = x.shape.length;
  const first = plainAxis(wholeAttribute(op, 'axis', -1), rank);
  const axes = Array.from({ length: rank - first }, (_, i) => first + i);
  const mean = (v: Value): Value => emit.reduce(g, 'ReduceMean', v, axes);
  const centred = emit.sub(g, x, mean(x));
  const s = inverseRoot(g, mean(emit.mul(g, centred, centred)), realAttribute(op, 'epsilon', 1e-5));
  const normal = emit.mul(g, centred, s);
  const dx = (): Value => {
    const h = emit.mul(g, dy, scale);
    const shift = emit.add(g, mean(h), emit.mul(g, normal, mean(emit.mul(g, h, normal))));
    return emit.mul(g, s, emit.sub(g, h, shift));
  };
  return [
    needs(0) ? dx() : null,
    needs(1) ? backTo(g, emit.mul(g, dy, normal), scale) : null,
    bias !== undefined && needs(2) ? backTo(g, dy, bias) : null,
  ];
};

/** With fixed mean and variance of each channel, as encoders are used: y = scale (x − mean) s + bias. */
const batchNorm: ForeignGradient = (op, dy, needs) => {
  const { g } = op;
  const [x, scale, bias, mean, variance] = op.inputs as [Value, Value, Value, Value, Value];
  const perChannel = (v: Value): Value =>
    emit.reshape(g, v, [v.shape[0] ?? 1, ...Array.from({ length: x.shape.length - 2 }, () => 1)]);
  const s = perChannel(inverseRoot(g, variance, realAttribute(op, 'epsilon', 1e-5)));
  const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const total = (v: Value): Value => emit.reshape(g, emit.reduce(g, 'ReduceSum', v, axes), bias.shape);
  const normal = (): Value => emit.mul(g, emit.sub(g, x, perChannel(mean)), s);
  return [
    needs(0) ? emit.mul(g, dy, emit.mul(g, perChannel(scale), s)) : null,
    needs(1) ? total(emit.mul(g, dy, normal())) : null,
    needs(2) ? total(dy) : null,
  ];
};

export const normalising: Readonly<Record<string, GradientRule>> = {
  ':Softmax': { gradient: softmax },
  ':LogSoftmax': { gradient: logSoftmax },
  ':LayerNormalization': { gradient: layerNorm, through: [0, 1, 2] },
  ':BatchNormalization': { gradient: batchNorm, through: [0, 1, 2] },
};
