import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { answersOf, checked } from '../../support/onnx-files.ts';

/** Debian's libonnx-testdata: its nine small networks with the graphs of large ones, and some graphs of single operators. */
const root = '/usr/share/libonnx-testdata/data';
const isHere = existsSync(root);
if (!isHere) console.log('libonnx-testdata is not on this machine: its networks are skipped');
const networks = isHere ? readdirSync(path.join(root, 'light')).filter((name) => name.endsWith('.onnx')) : [];

test.runIf(isHere)('there are nine networks', () => {
  expect(networks).toHaveLength(9);
});

test.runIf(isHere).each(networks)('%s answers as ONNX Runtime does', async (name) => {
  const bytes = readFileSync(path.join(root, 'light', name));
  const found = await checked(bytes, 'image_classification');
  expect(found.classes).toHaveLength(1000);
  const plan = found.members[0]?.model.features.state as {
    input: { name: string };
    output: { name: string; kind: string };
  };
  const file = await sharp({ create: { width: 224, height: 224, channels: 3, background: '#4080c0' } })
    .png()
    .toBuffer();
  const pixels = [64, 128, 192].flatMap((value) => new Array<number>(224 * 224).fill(value / 255));
  const session = await ort.InferenceSession.create(bytes, { graphOptimizationLevel: 'all' });
  const feeds = { [plan.input.name]: new ort.Tensor('float32', Float32Array.from(pixels), [1, 3, 224, 224]) };
  const output = (await session.run(feeds))[plan.output.name]?.data as Float32Array;
  await session.release();
  const answers = await answersOf(found, [file, file]); // the networks take one image a run
  const most = Math.max(...output);
  const powers = Array.from(output, (value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  const expected = plan.output.kind === 'logits' ? powers.map((power) => power / sum) : output;
  for (const [c, answer] of answers.entries())
    expect(Math.abs(answer - (expected[c % 1000] as number))).toBeLessThan(1e-6);
});

const node = (name: string): Buffer => readFileSync(path.join(root, 'node', name, 'model.onnx'));

test.runIf(isHere).each([
  { name: 'test_softmax_axis_1', type: 'float32', shape: [3, 4, 5] },
  { name: 'test_sigmoid', type: 'float32', shape: [3, 4, 5] },
  { name: 'test_tfidfvectorizer_tf_batch_onlybigrams_skip0', type: 'int32', shape: [2, 6] },
] as const)('$name: arrays become the rows of its tensor', async ({ name, type, shape }) => {
  const size = shape.reduce((product: number, dim) => product * dim, 1);
  const values = Array.from(
    { length: size },
    (_, i) => (type === 'int32' ? [1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8][i] : Math.sin(i)) as number,
  );
  const session = await ort.InferenceSession.create(node(name));
  const data = type === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
  const feeds = { [session.inputNames[0] ?? '']: new ort.Tensor(type as 'float32', data as Float32Array, shape) };
  const expected = Object.values(await session.run(feeds))[0]?.data as Float32Array;
  await session.release();
  const spec = { columns: [{ name: 'x', type: 'list' }], output_kind: 'probabilities' };
  const found = await checked(node(name), 'tabular_classification', spec);
  const width = size / shape[0];
  const rows = Array.from({ length: shape[0] }, (_, row) =>
    JSON.stringify({ x: values.slice(row * width, (row + 1) * width) }),
  );
  const answers = await answersOf(found, rows);
  expect(answers).toHaveLength(expected.length);
  for (const [i, answer] of answers.entries()) expect(Math.abs(answer - (expected[i] as number))).toBeLessThan(1e-6);
});

test.runIf(isHere)('test_ai_onnx_ml_label_encoder_string_int: texts become labels', async () => {
  const name = 'test_ai_onnx_ml_label_encoder_string_int';
  const texts = ['a', 'b', 'd', 'c', 'g'];
  const session = await ort.InferenceSession.create(node(name));
  const { Y } = await session.run({ X: new ort.Tensor('string', texts, [5]) });
  await session.release();
  const classes = ['0', '1', '2', '42'];
  const found = await checked(node(name), 'text_classification', { classes });
  const answers = await answersOf(found, texts);
  const labels = texts.map((_, row) => classes[answers.subarray(4 * row, 4 * row + 4).indexOf(1)]);
  expect(labels).toEqual(Array.from(Y?.data as BigInt64Array, String));
});
