// A family as a command, for tests: softmax regression by gradient descent on the columns of a table, without a library. The first argument is what it does
// wrong, if anything.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

const [, , fault = '', name = 'softmax'] = process.argv;

const description = {
  rafiki: 1,
  name,
  title: 'softmax regression',
  input: 'columns',
  outputs: ['label', 'number'],
  features: { name: 'dense' },
  knobs: {
    epochs: { kind: 'range', dtype: 'int', min: 1, max: 50, initial: 8, group: 'training' },
    rate: { kind: 'range', dtype: 'float', min: 0.01, max: 2, log: true, initial: 0.5, group: 'training' },
  },
};

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

// --- protocol buffers of an ONNX file ---
const varint = (value) => {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 128);
  }
};
const number = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
const bytes = (field, value) => {
  const body = Buffer.from(value);
  return Buffer.concat([varint(field * 8 + 2), varint(body.length), body]);
};
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));
const node = (op, inputs, output) =>
  message(1, ...inputs.map((input) => bytes(1, input)), bytes(2, output), bytes(4, op));
const tensor = (tensorName, shape, data) =>
  message(
    5,
    ...shape.map((dim) => number(1, dim)),
    number(2, 1),
    bytes(8, tensorName),
    bytes(9, Buffer.from(data.buffer)),
  );
const value = (field, valueName, columns) =>
  message(
    field,
    bytes(1, valueName),
    message(2, message(1, number(1, 1), message(2, message(1, bytes(2, 'N')), message(1, number(1, columns))))),
  );

function onnx({ w, b, size, outputs, mean, deviation, isLabel }) {
  const input = fault === 'other-input' ? 'features' : 'x';
  const last = isLabel
    ? [node('Softmax', ['z'], 'y')]
    : [node('Mul', ['z', 'deviation'], 's'), node('Add', ['s', 'mean'], 'y')];
  const nodes = [
    node('MatMul', [input, 'w'], 'm'),
    node('Add', ['m', 'b'], fault === 'logits' ? 'y' : 'z'),
    ...(fault === 'logits' ? [] : last),
  ];
  const unit = isLabel
    ? []
    : [tensor('mean', [1], Float32Array.of(mean)), tensor('deviation', [1], Float32Array.of(deviation))];
  const graph = [
    ...nodes,
    bytes(2, 'g'),
    tensor('w', [size, outputs], w),
    tensor('b', [outputs], b),
    ...unit,
    value(11, input, size),
    value(12, 'y', outputs),
  ];
  return Buffer.concat([number(1, 8), message(7, ...graph), message(8, number(2, 13))]);
}

// --- safetensors ---
function readTensors(file) {
  const raw = readFileSync(file);
  const start = 8 + Number(raw.readBigUInt64LE(0));
  const header = JSON.parse(raw.toString('utf8', 8, start));
  const types = { F32: Float32Array, I32: Int32Array };
  return Object.fromEntries(
    Object.entries(header).map(
      ([
        key,
        {
          dtype,
          data_offsets: [from, to],
        },
      ]) => [key, new types[dtype](new Uint8Array(raw.subarray(start + from, start + to)).buffer)],
    ),
  );
}
function writeTensors(file, tensors) {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([key, { shape, data }]) => {
      end += data.byteLength;
      return [key, { dtype: 'F32', shape, data_offsets: [end - data.byteLength, end] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(
    file,
    Buffer.concat([head, json, ...Object.values(tensors).map(({ data }) => Buffer.from(data.buffer))]),
  );
}

// --- training ---
function prepare(fit) {
  const { x, target, row_weight: weight } = readTensors(fit.tensors);
  const isLabel = fit.output === 'label';
  const outputs = isLabel ? fit.classes.length : 1;
  const model = {
    w: new Float32Array(fit.size * outputs),
    b: new Float32Array(outputs),
    size: fit.size,
    outputs,
    isLabel,
    mean: fit.mean,
    deviation: fit.deviation,
  };
  return { fit, x, target, weight, model };
}

/** A pass over all rows. Returns the mean loss. */
function pass({ fit, x, target, weight, model: { w, b, size, outputs, isLabel, mean, deviation } }) {
  let loss = 0;
  const rows = target.length;
  for (let row = 0; row < rows; row++) {
    const z = Array.from(b);
    for (let j = 0; j < size; j++) for (let k = 0; k < outputs; k++) z[k] += x[row * size + j] * w[j * outputs + k];
    const highest = Math.max(...z);
    const exps = z.map((value) => Math.exp(value - highest));
    const sum = exps.reduce((a, c) => a + c, 0);
    const wanted = (target[row] - mean) / deviation;
    loss += isLabel ? -Math.log(exps[target[row]] / sum) / rows : (z[0] - wanted) ** 2 / rows;
    const rate = (fit.knobs.rate * weight[row]) / (isLabel ? 10 : 100);
    const gradient = isLabel ? exps.map((value, k) => value / sum - Number(k === target[row])) : [z[0] - wanted];
    for (let k = 0; k < outputs; k++) {
      b[k] -= rate * gradient[k];
      for (let j = 0; j < size; j++) w[j * outputs + k] -= rate * gradient[k] * x[row * size + j];
    }
  }
  return fault === 'nan' ? Number.NaN : loss;
}

function epoch(state, order) {
  const { fit, model } = state;
  const file = (suffix) => path.join(fit.folder, suffix);
  for (const given of [order.weights, order.checkpoint].filter(Boolean)) {
    const { w = model.w, b = model.b } = readTensors(given); // weights of other trials may be some of them
    model.w.set(w);
    model.b.set(b);
  }
  const log = (line) => fit.knobs.log && appendFileSync(fit.knobs.log, line);
  log(
    `epoch ${order.epoch}${order.checkpoint ? ' from checkpoint' : ''}${order.weights ? ' from weights' : ''} pid ${process.pid}\n`,
  );
  if (fault === 'slow') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
  const loss = pass(state);
  const made = fault === 'diverges' ? { ...model, w: model.w.map(() => Number.NaN) } : model;
  writeFileSync(file('model.onnx'), fault === 'no-model' ? 'not ONNX' : onnx(made));
  const tensors = {
    w: { shape: [model.size, model.outputs], data: model.w },
    b: { shape: [model.outputs], data: model.b },
  };
  writeTensors(file('weights'), fault === 'other-weights' ? { w: tensors.b } : tensors);
  writeTensors(file('checkpoint'), tensors);
  say({
    epoch: {
      loss,
      model: fault === 'outside' ? '/etc/passwd' : 'model.onnx',
      checkpoint: 'checkpoint',
      weights: 'weights',
    },
  });
}

if (fault === 'dies-at-once') throw new Error('no module named torch');
let state;
createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line);
  if (order.do === 'describe') say(description);
  else if (order.do === 'fit') {
    if (fault === 'env') process.stderr.write(`${JSON.stringify(process.env)}\n`);
    if (fault === 'env') process.exit(3);
    if (fault === 'silent') return;
    state = prepare(order);
    const { size, outputs } = state.model;
    const weights = [
      { name: 'w', shape: [size, outputs] },
      { name: 'b', shape: [outputs], role: 'offset' },
    ];
    say({ ready: { epochs: order.knobs.epochs, checkpoints: true, weights } });
  } else if (order.train) {
    if (fault === 'nonsense') process.stdout.write('Epoch 1/10 [=====>....]\n');
    else if (fault === 'floods') process.stdout.write('x'.repeat(2 ** 22));
    else if (fault === 'many-lines') process.stdout.write('{}\n'.repeat(1000));
    else if (fault === 'dies') process.exit(7);
    else if (fault === 'killed') {
      process.stderr.write('cannot allocate memory\n');
      process.kill(process.pid, 'SIGKILL');
    } else if (fault === 'endless') for (;;);
    else epoch(state, order.train);
  }
});
process.stdin.on('end', () => process.exit(0));
