import { broadcast, broadcastTo } from './broadcast.ts';
import type { Operator, Tensor, TensorFlow } from './call.ts';

type Reduce = (tf: TensorFlow, x: Tensor, axes: number[] | undefined, keep: boolean) => Tensor;

/** Axes are an input, default all; reduced axes are kept with size 1 by default. */
const reduction =
  (reduce: Reduce): Operator =>
  (call) =>
    reduce(call.tf, call.input(0), call.optionalNumbers(1), call.number('keepdims', 1) === 1);

/** TensorFlow.js supports the last axis only. */
const logSoftmax: Operator = (call) => {
  const x = call.input(0);
  const axis = call.number('axis', -1);
  if (axis !== -1 && axis !== x.rank - 1) throw new RangeError(`LogSoftmax over axis ${axis} of ${x.rank}`);
  return call.tf.logSoftmax(x);
};

/** TensorFlow.js does not sum gradients over dimensions that its product broadcasts, so they are expanded here. */
const matMul: Operator = (call) => {
  const { tf } = call;
  const [a, b] = [call.input(0), call.input(1)];
  if (b.rank === 2 && a.rank > 2) {
    const rows = tf.reshape(a, [-1, a.shape.at(-1) ?? 1]);
    return tf.reshape(tf.matMul(rows, b), [...a.shape.slice(0, -1), b.shape[1] ?? 1]);
  }
  const stack = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const spread = (x: Tensor): Tensor => broadcastTo(tf, x, [...stack, ...x.shape.slice(-2)]);
  return tf.matMul(spread(a), spread(b));
};

const argMax: Operator = (call) => {
  const axis = call.number('axis', 0);
  const at = call.tf.argMax(call.input(0), axis);
  return call.number('keepdims', 1) === 1 ? call.tf.expandDims(at, axis) : at;
};

export const algebraOperators = {
  ReduceSum: reduction((tf, x, axes, keep) => tf.sum(x, axes, keep)),
  ReduceMean: reduction((tf, x, axes, keep) => tf.mean(x, axes, keep)),
  ReduceMax: reduction((tf, x, axes, keep) => tf.max(x, axes, keep)),
  ArgMax: argMax,
  LogSoftmax: logSoftmax,
  MatMul: matMul,
} satisfies Record<string, Operator>;
