import { broadcast, spreadTo } from './broadcast.ts';
import type { Call, Operator, Tensor, TensorFlow } from './call.ts';

type Reduce = (tf: TensorFlow, x: Tensor, axes: number[] | undefined, keep: boolean) => Tensor;

/** Axes come as an input, all of them where there is none; reduced ones stay as size 1 unless told otherwise. */
const reduction =
  (reduce: Reduce): Operator =>
  (call) =>
    reduce(call.tf, call.input(0), call.optionalNumbers(1), call.number('keepdims', 1) === 1);

/** Over the last axis, the only one that TensorFlow.js knows here. */
const overLastAxis =
  (map: (tf: TensorFlow, x: Tensor) => Tensor): Operator =>
  (call) => {
    const x = call.input(0);
    const axis = call.number('axis', -1);
    if (axis !== -1 && axis !== x.rank - 1) throw new RangeError(`softmax over axis ${axis} of ${x.rank}`);
    return map(call.tf, x);
  };

/** TensorFlow.js does not sum a gradient over dimensions that its product broadcasts, so they are spread out here. */
function product({ tf }: Call, a: Tensor, b: Tensor, { ta = false, tb = false } = {}): Tensor {
  if (b.rank === 2 && a.rank > 2 && !ta) {
    const rows = tf.reshape(a, [-1, a.shape.at(-1) ?? 1]);
    return tf.reshape(tf.matMul(rows, b, false, tb), [...a.shape.slice(0, -1), b.shape[tb ? 0 : 1] ?? 1]);
  }
  const stack = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const spread = (x: Tensor): Tensor => spreadTo(tf, x, [...stack, ...x.shape.slice(-2)]);
  return tf.matMul(spread(a), spread(b), ta, tb);
}

const transposed = (call: Call): { ta: boolean; tb: boolean } => ({
  ta: call.number('transA', 0) === 1,
  tb: call.number('transB', 0) === 1,
});

/** α·a·b + β·c; our graphs use neither factor. */
const gemm: Operator = (call) => {
  const sum = product(call, call.input(0), call.input(1), transposed(call));
  const c = call.optional(2);
  return c === undefined ? sum : call.tf.add(sum, c);
};

const argMax: Operator = (call) => {
  const axis = call.number('axis', 0);
  const at = call.tf.argMax(call.input(0), axis);
  return call.number('keepdims', 1) === 1 ? call.tf.expandDims(at, axis) : at;
};

export const algebra = {
  ReduceSum: reduction((tf, x, axes, keep) => tf.sum(x, axes, keep)),
  ReduceMean: reduction((tf, x, axes, keep) => tf.mean(x, axes, keep)),
  ReduceMax: reduction((tf, x, axes, keep) => tf.max(x, axes, keep)),
  ReduceMin: reduction((tf, x, axes, keep) => tf.min(x, axes, keep)),
  ArgMax: argMax,
  Softmax: overLastAxis((tf, x) => tf.softmax(x)),
  LogSoftmax: overLastAxis((tf, x) => tf.logSoftmax(x)),
  MatMul: (call) => product(call, call.input(0), call.input(1)),
  FusedMatMul: (call) => product(call, call.input(0), call.input(1), transposed(call)),
  Gemm: gemm,
} satisfies Record<string, Operator>;
