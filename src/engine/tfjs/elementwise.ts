import { broadcast, broadcastTo } from './broadcast.ts';
import type { Operator, Tensor, TensorFlow } from './call.ts';

/** Element types of ONNX's Cast, by number, as types of TensorFlow.js. */
const castTypes: Record<number, 'float32' | 'int32' | 'bool'> = {
  1: 'float32',
  2: 'int32',
  6: 'int32',
  7: 'int32',
  9: 'bool',
};

const unary =
  (map: (tf: TensorFlow, x: Tensor) => Tensor): Operator =>
  (call) =>
    map(call.tf, call.input(0));

const binary =
  (join: (tf: TensorFlow, a: Tensor, b: Tensor) => Tensor): Operator =>
  (call) =>
    join(call.tf, call.input(0), call.input(1));

/** Max and Min with any number of inputs, which are broadcast here because their gradients do not support it. */
const extreme =
  (join: (tf: TensorFlow, a: Tensor, b: Tensor) => Tensor): Operator =>
  ({ tf, inputs }) => {
    const spread = (x: Tensor, like: Tensor): Tensor => broadcastTo(tf, x, broadcast(x.shape, like.shape));
    return inputs.reduce((a, b) => join(tf, spread(a, b), spread(b, a)));
  };

/** Bounds are scalars; each is optional. */
const clip: Operator = (call) => {
  const [low = Number.NEGATIVE_INFINITY] = call.optionalNumbers(1) ?? [];
  const [high = Number.POSITIVE_INFINITY] = call.optionalNumbers(2) ?? [];
  return call.tf.clipByValue(call.input(0), low, high);
};

const hardSigmoid: Operator = (call) => {
  const { tf } = call;
  const line = tf.add(tf.mul(call.input(0), call.number('alpha', 0.2)), call.number('beta', 0.5));
  return tf.clipByValue(line, 0, 1);
};

export const elementwiseOperators = {
  Abs: unary((tf, x) => tf.abs(x)),
  Neg: unary((tf, x) => tf.neg(x)),
  Ceil: unary((tf, x) => tf.ceil(x)),
  Exp: unary((tf, x) => tf.exp(x)),
  Log: unary((tf, x) => tf.log(x)),
  Cos: unary((tf, x) => tf.cos(x)),
  Sin: unary((tf, x) => tf.sin(x)),
  Sqrt: unary((tf, x) => tf.sqrt(x)),
  Reciprocal: unary((tf, x) => tf.reciprocal(x)),
  Relu: unary((tf, x) => tf.relu(x)),
  Tanh: unary((tf, x) => tf.tanh(x)),
  Sigmoid: unary((tf, x) => tf.sigmoid(x)),
  Softplus: unary((tf, x) => tf.softplus(x)),
  Identity: unary((_, x) => x),
  Add: binary((tf, a, b) => tf.add(a, b)),
  Sub: binary((tf, a, b) => tf.sub(a, b)),
  Mul: binary((tf, a, b) => tf.mul(a, b)),
  Div: binary((tf, a, b) => tf.div(a, b)),
  Pow: binary((tf, a, b) => tf.pow(a, b)),
  Max: extreme((tf, a, b) => tf.maximum(a, b)),
  Min: extreme((tf, a, b) => tf.minimum(a, b)),
  Sum: ({ tf, inputs }) => inputs.reduce((a, b) => tf.add(a, b)),
  GreaterOrEqual: binary((tf, a, b) => tf.greaterEqual(a, b)),
  Clip: clip,
  HardSigmoid: hardSigmoid,
  Cast: (call) => call.tf.cast(call.input(0), castTypes[call.number('to', 1)] ?? 'float32'),
} satisfies Record<string, Operator>;
