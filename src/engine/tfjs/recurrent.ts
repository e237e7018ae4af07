import type { Operator, OperatorCall, Tensor } from './call.ts';

/** One direction of ONNX's recurrent operators, with the gates' weights concatenated. */
interface Layer {
  /** [I, gates·H] and [H, gates·H] */
  input: Tensor;
  recurrent: Tensor;
  /** [gates·H] each */
  inputBias: Tensor;
  recurrentBias: Tensor;
  hidden: number;
}

function layerOf(call: OperatorCall, gates: number): Layer {
  const { tf } = call;
  const hidden = call.number('hidden_size', 1);
  const biases = tf.reshape(call.optional(3) ?? tf.zeros([2 * gates * hidden]), [2, gates * hidden]);
  const bias = (row: number): Tensor => tf.reshape(tf.slice(biases, [row, 0], [1, gates * hidden]), [-1]);
  const matrix = (index: number): Tensor => tf.transpose(tf.squeeze(call.input(index), [0]));
  return { input: matrix(1), recurrent: matrix(2), inputBias: bias(0), recurrentBias: bias(1), hidden };
}

/**
 * Runs over time: x [T, N, I], states [N, H] → the results of `step`, the first of which is the layer's output. After
 * the end of a text (its length is input 4) states are constant and outputs are zero. Returns Y [T, 1, N, H] and the
 * last states.
 */
function overTime(call: OperatorCall, states: Tensor[], step: (x: Tensor, states: Tensor[]) => Tensor[]): Tensor[] {
  const { tf } = call;
  const x = call.input(0);
  const lengths = call.optional(4);
  let current = states;
  const outputs = tf.split(x, x.shape[0] ?? 1, 0).map((part, time) => {
    const next = step(tf.squeeze(part, [0]), current);
    if (lengths === undefined) current = next;
    else {
      const isActive = tf.cast(tf.expandDims(tf.greater(lengths, tf.scalar(time, 'int32')), 1), 'float32');
      const isPadding = tf.sub(1, isActive);
      current = next.map((state, i) => tf.add(tf.mul(isActive, state), tf.mul(isPadding, current[i] ?? state)));
      return tf.mul(isActive, next[0] ?? isActive);
    }
    return next[0] ?? part;
  });
  return [tf.expandDims(tf.stack(outputs), 1), ...current.map((state) => tf.expandDims(state, 0))];
}

/** Zeros if the node has no initial state. */
function firstState(call: OperatorCall, index: number, hidden: number): Tensor {
  const given = call.optional(index);
  return given === undefined ? call.tf.zeros([call.input(0).shape[1] ?? 1, hidden]) : call.tf.squeeze(given, [0]);
}

/**
 * Gated recurrent unit (Cho et al. 2014), gates in the order z, r, h: h ← (1 − z)·h̃ + z·h with
 * h̃ = tanh(x·W + b + r·(h·R + c)) if `linear_before_reset`, else tanh(x·W + b + (r·h)·R + c).
 */
const gru: Operator = (call) => {
  const { tf } = call;
  const { hidden, ...layer } = layerOf(call, 3);
  const resetAfter = call.number('linear_before_reset', 0) === 1;
  const gate = (sums: Tensor, index: number): Tensor =>
    tf.slice(sums, [0, index * hidden], [sums.shape[0] ?? 1, hidden]);
  const candidateBias = tf.slice(layer.recurrentBias, [2 * hidden], [hidden]);
  return overTime(call, [firstState(call, 5, hidden)], (x, [h = x]) => {
    const fromX = tf.add(tf.matMul(x, layer.input), layer.inputBias);
    const fromH = tf.add(tf.matMul(h, layer.recurrent), layer.recurrentBias);
    const z = tf.sigmoid(tf.add(gate(fromX, 0), gate(fromH, 0)));
    const r = tf.sigmoid(tf.add(gate(fromX, 1), gate(fromH, 1)));
    const reset = resetAfter
      ? tf.mul(r, gate(fromH, 2))
      : tf.add(tf.matMul(tf.mul(r, h), gate(layer.recurrent, 2)), candidateBias);
    const candidate = tf.tanh(tf.add(gate(fromX, 2), reset));
    return [tf.add(tf.mul(tf.sub(1, z), candidate), tf.mul(z, h))];
  });
};

/** Long short-term memory (Hochreiter and Schmidhuber 1997), gates in the order i, o, f, c: c ← f·c + i·c̃, h ← o·tanh c. */
const lstm: Operator = (call) => {
  const { tf } = call;
  const { hidden, ...layer } = layerOf(call, 4);
  const states = [firstState(call, 5, hidden), firstState(call, 6, hidden)];
  return overTime(call, states, (x, [h = x, c = x]) => {
    const fromX = tf.add(tf.matMul(x, layer.input), layer.inputBias);
    const sums = tf.add(fromX, tf.add(tf.matMul(h, layer.recurrent), layer.recurrentBias));
    const gate = (index: number): Tensor => tf.slice(sums, [0, index * hidden], [sums.shape[0] ?? 1, hidden]);
    const keptCell = tf.mul(tf.sigmoid(gate(2)), c);
    const next = tf.add(keptCell, tf.mul(tf.sigmoid(gate(0)), tf.tanh(gate(3))));
    return [tf.mul(tf.sigmoid(gate(1)), tf.tanh(next)), next];
  });
};

export const recurrentOperators = { GRU: gru, LSTM: lstm } satisfies Record<string, Operator>;
