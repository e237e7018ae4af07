import type { Operator, OperatorCall, Tensor } from './call.ts';

/** 0 copies a dimension, −1 is computed. */
const reshape: Operator = (call) => {
  const x = call.input(0);
  return call.tf.reshape(
    x,
    call.numbers(1).map((size, i) => (size === 0 ? (x.shape[i] ?? 1) : size)),
  );
};

/** Starts, ends, axes and steps; negative bounds count from the end, out-of-range bounds are clamped. */
const slice: Operator = (call) => {
  const x = call.input(0);
  const axes = call.optionalNumbers(3) ?? call.numbers(1).map((_, i) => i);
  const steps = call.optionalNumbers(4) ?? axes.map(() => 1);
  const begin = x.shape.map(() => 0);
  const end = [...x.shape];
  const strides = x.shape.map(() => 1);
  const [starts, ends] = [call.numbers(1), call.numbers(2)];
  axes.forEach((given, i) => {
    const axis = given < 0 ? given + x.rank : given;
    const size = x.shape[axis] ?? 0;
    const within = (bound = 0): number => Math.max(0, Math.min(size, bound < 0 ? bound + size : bound));
    begin[axis] = within(starts[i]);
    end[axis] = within(ends[i]);
    strides[axis] = steps[i] ?? 1;
  });
  if (strides.some((stride) => stride !== 1)) return call.tf.stridedSlice(x, begin, end, strides);
  return call.tf.slice(
    x,
    begin,
    end.map((bound, axis) => Math.max(0, bound - (begin[axis] ?? 0))),
  );
};

/** All leading widths, then all trailing ones. */
const pad: Operator = (call) => {
  const x = call.input(0);
  const widths = call.numbers(1);
  const [value = 0] = call.optionalNumbers(2) ?? [];
  const pairs = x.shape.map((_, axis): [number, number] => [widths[axis] ?? 0, widths[axis + x.rank] ?? 0]);
  return call.tf.pad(x, pairs, value);
};

/** Scatters updates into data (at their own index, except on `axis`); `add` adds, otherwise updates replace. */
const scatterElements: Operator = (call) => {
  const { tf } = call;
  const [data, index, updates] = [call.input(0), call.numbers(1), call.input(2)];
  const { shape } = updates;
  const axis = call.number('axis', 0);
  const positions = new Int32Array(index.length * shape.length);
  index.forEach((target, flat) => {
    let rest = flat;
    for (let dim = shape.length - 1; dim >= 0; dim--) {
      const size = shape[dim] ?? 1;
      positions[flat * shape.length + dim] = dim === axis ? target : rest % size;
      rest = Math.floor(rest / size);
    }
  });
  const at = tf.tensor2d(positions, [index.length, shape.length], 'int32');
  return scatter(call, data, at, tf.reshape(updates, [-1]));
};

const scatterNd: Operator = (call) => scatter(call, call.input(0), call.input(1), call.input(2));

function scatter(call: OperatorCall, data: Tensor, positions: Tensor, updates: Tensor): Tensor {
  const { tf } = call;
  if (call.text('reduction', 'none') !== 'add') return tf.tensorScatterUpdate(data, positions, updates);
  return tf.add(data, tf.scatterND(positions, updates, data.shape));
}

/** With one batch dimension, x [N, A, …] and index [N, K, 1] → [N, K, …]; without, as in TensorFlow.js. */
const gatherNd: Operator = (call) => {
  const { tf } = call;
  const [x, index] = [call.input(0), call.input(1)];
  if (call.number('batch_dims', 0) === 0) return tf.gatherND(x, index);
  if (index.shape.at(-1) !== 1) throw new RangeError('GatherND of TensorFlow.js takes one index within a batch');
  return tf.gather(x, tf.squeeze(index, [-1]), 1, 1);
};

const topK: Operator = (call) => {
  const [count = 1] = call.numbers(1);
  const { values, indices } = call.tf.topk(call.input(0), count);
  return [values, indices];
};

export const shapingOperators = {
  Reshape: reshape,
  Transpose: (call) => call.tf.transpose(call.input(0), [...call.list('perm', [])]),
  Concat: (call) => call.tf.concat(call.inputs, call.number('axis', 0)),
  Slice: slice,
  Pad: pad,
  Shape: (call) => call.tf.tensor1d(call.input(0).shape, 'int32'),
  ConstantOfShape: (call) => call.tf.zeros(call.numbers(0)),
  Gather: (call) => call.tf.gather(call.input(0), call.input(1), call.number('axis', 0)),
  GatherND: gatherNd,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  TopK: topK,
} satisfies Record<string, Operator>;
