import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as ort from 'onnxruntime-node';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { convertGraph } from '../../../src/encoders/tfjs/convert-graph.ts';
import { readGraphModel } from '../../../src/encoders/tfjs/model-json.ts';
import { keepRows } from '../../../src/features/columns/kept-rows.ts';
import { rowsOf } from '../../../src/features/columns/table-rows.ts';
import { sampleRow } from '../../../src/foreign/sample-row.ts';
import { bytesField, concatBytes, stringField } from '../../../src/graph/protobuf.ts';
import { answersOf, checked, expectedAnswers, onnxFile } from '../../support/onnx-files.ts';

/** Files of scikit-learn's and PyTorch's models, and what those answered themselves: test/fixtures/onnx/make.py. */

const closeTo = (answers: Float32Array, expected: readonly (number | readonly number[])[], within = 1e-5): void => {
  const wanted = expected.flat();
  expect(answers).toHaveLength(wanted.length);
  for (const [i, answer] of answers.entries()) expect(Math.abs(answer - (wanted[i] as number))).toBeLessThan(within);
};

const columns = ['length', 'width', 'height', 'weight'].map((name) => ({ name, type: 'number' }));

test('a logistic regression of scikit-learn: its maps become probabilities, its classes come from the file', async () => {
  const { rows, answers } = expectedAnswers.sklearn_logistic;
  const found = await checked(onnxFile('sklearn_logistic'), 'tabular_classification', { columns });
  expect(found.classes).toEqual(['iris', 'rose', 'tulip']);
  closeTo(
    await answersOf(
      found,
      rows.map((row) => JSON.stringify(row)),
    ),
    answers,
  );
});

test('a classifier of trees with an input for each column needs no specification', async () => {
  const { rows, answers } = expectedAnswers.sklearn_boosting;
  const found = await checked(onnxFile('sklearn_boosting'), 'tabular_classification');
  expect(found.classes).toEqual(['10', '20', '30']);
  expect(found.columns).toEqual(columns.map(({ name }) => ({ name, kind: 'number' })));
  closeTo(
    await answersOf(
      found,
      rows.map((row) => JSON.stringify(row)),
    ),
    answers,
    1e-4, // in single precision, where scikit-learn adds in double
  );
});

test('its labels can be the output as well', async () => {
  const { rows, answers } = expectedAnswers.sklearn_boosting;
  const found = await checked(onnxFile('sklearn_boosting'), 'tabular_classification', { output: 'label' });
  const labels = await answersOf(
    found,
    rows.map((row) => JSON.stringify(row)),
  );
  const most = (answers as number[][]).flatMap((row) => row.map((share) => Number(share === Math.max(...row))));
  expect([...labels]).toEqual(most);
});

test('a forest of scikit-learn answers with numbers', async () => {
  const { rows, answers } = expectedAnswers.sklearn_forest;
  const found = await checked(onnxFile('sklearn_forest'), 'tabular_regression', { columns, missing: 0 });
  closeTo(
    await answersOf(
      found,
      rows.map((row) => JSON.stringify(row)),
    ),
    answers,
    1e-3,
  );
  const [none] = await answersOf(found, [JSON.stringify({ ...rows[0], weight: null })]);
  expect(Number.isFinite(none)).toBe(true);
});

test('a text model of PyTorch reads tokens, and its logits become probabilities', async () => {
  const { tokenizer, text, answers } = expectedAnswers.torch_text;
  const found = await checked(onnxFile('torch_text'), 'sentiment', { tokenizer, classes: ['negative', 'positive'] });
  expect(found.members[0]?.model.features.state['output']).toEqual({ name: 'logits', kind: 'logits' });
  closeTo(await answersOf(found, [text]), answers);
  closeTo((await answersOf(found, ['the', text, 'bad bad'])).subarray(2, 4), answers); // padding changes nothing
});

test('an image network of PyTorch answers as ONNX Runtime does to the same pixels', async () => {
  const found = await checked(onnxFile('torch_image'), 'image_classification', { image: { mean: [0.5], std: [0.25] } });
  const file = await sharp({ create: { width: 16, height: 16, channels: 3, background: '#ff8000' } })
    .png()
    .toBuffer();
  const pixels = [1, 128 / 255, 0].flatMap((value) => new Array<number>(256).fill((value - 0.5) / 0.25));
  const session = await ort.InferenceSession.create(onnxFile('torch_image'));
  const { logits } = await session.run({ image: new ort.Tensor('float32', Float32Array.from(pixels), [1, 3, 16, 16]) });
  const powers = Array.from(logits?.data as Float32Array, Math.exp);
  const sum = powers.reduce((total, power) => total + power, 0);
  closeTo(
    await answersOf(found, [file]),
    powers.map((power) => power / sum),
  );
  expect(found.classes).toEqual(['0', '1', '2']);
});

test('what the file says in its metadata needs no specification', async () => {
  const spec = JSON.stringify({ columns });
  const entry = bytesField(14, concatBytes([stringField(1, 'rafiki.spec'), stringField(2, spec)]));
  const found = await checked(concatBytes([onnxFile('sklearn_logistic'), entry]), 'tabular_classification');
  expect(found.columns?.map(({ name }) => name)).toEqual(columns.map(({ name }) => name));
});

test('a graph model of TensorFlow.js answers as it does there', async () => {
  const weights = Array.from({ length: 12 }, (_, i) => Math.sin(i + 1));
  const shape = { shape: { dim: [{ size: '-1' }, { size: '4' }] } };
  const topology = {
    node: [
      { name: 'x', op: 'Placeholder', attr: { dtype: { type: 1 }, shape } },
      { name: 'w', op: 'Const', attr: { dtype: { type: 1 } } },
      {
        name: 'scores',
        op: 'MatMul',
        input: ['x', 'w'],
        attr: { transpose_a: { b: false }, transpose_b: { b: false } },
      },
      { name: 'shares', op: 'Softmax', input: ['scores'], attr: {} },
    ],
    library: {},
    versions: {},
  };
  const weightSpecs = [{ name: 'w', shape: [4, 3], dtype: 'float32' as const }];
  const bytes = new Uint8Array(Float32Array.from(weights).buffer);
  const json = { modelTopology: topology, weightsManifest: [{ paths: ['w'], weights: weightSpecs }] };
  const found = await checked(convertGraph(readGraphModel(json, bytes)), 'tabular_classification', { columns });
  const rows = [
    [1, 2, 3, 4],
    [-1, 0.5, 0, 2],
  ];
  await tf.setBackend('cpu');
  const model = await loadGraphModel({
    load: async () => ({ modelTopology: topology, weightSpecs, weightData: bytes.buffer }),
  });
  const theirs = Array.from(await (model.predict(tf.tensor2d(rows)) as tf.Tensor).data());
  const inputs = rows.map((row) => JSON.stringify(Object.fromEntries(columns.map(({ name }, i) => [name, row[i]]))));
  closeTo(await answersOf(found, inputs), theirs);
});

/** A graph of TensorFlow.js's ops on rows of four numbers, as an ONNX file. */
function graphOf(
  nodes: object[],
  weights: Record<string, { shape: number[]; values: number[]; dtype?: 'int32' }>,
): Uint8Array {
  const shape = { shape: { dim: [{ size: '-1' }, { size: '4' }] } };
  const constants = Object.keys(weights).map((name) => ({
    ...{ name, op: 'Const', attr: { dtype: { type: weights[name]?.dtype === 'int32' ? 3 : 1 } } },
  }));
  const placeholder = { name: 'x', op: 'Placeholder', attr: { dtype: { type: 1 }, shape } };
  const parts = Object.values(weights).map(({ values, dtype }) =>
    Buffer.from((dtype === 'int32' ? Int32Array.from(values) : Float32Array.from(values)).buffer),
  );
  const specs = Object.entries(weights).map(([name, { shape: own, dtype = 'float32' as const }]) => ({
    ...{ name, shape: own, dtype },
  }));
  const json = {
    modelTopology: { node: [placeholder, ...constants, ...nodes], library: {}, versions: {} },
    weightsManifest: [{ paths: ['w'], weights: specs }],
  };
  return convertGraph(readGraphModel(json, Buffer.concat(parts)));
}

const product = {
  name: 'p',
  op: 'MatMul',
  input: ['x', 'w'],
  attr: { transpose_a: { b: false }, transpose_b: { b: false } },
};
const kindOf = async (bytes: Uint8Array, spec: Record<string, unknown> = {}): Promise<unknown> => {
  const classes = ['no', 'yes'];
  const found = await checked(bytes, 'tabular_classification', { columns, classes, ...spec });
  return (found.members[0]!.model.features.state as { output: { kind: string } }).output.kind;
};

test('one number is a probability if a sigmoid made it, a logit if it cannot be one, and otherwise asked about', async () => {
  const weights = (value: number) => ({ w: { shape: [4, 1], values: new Array<number>(4).fill(value) } });
  const sigmoid = { name: 's', op: 'Sigmoid', input: ['p'], attr: {} };
  expect(await kindOf(graphOf([product, sigmoid], weights(0.1)))).toBe('probabilities');
  expect(await kindOf(graphOf([product], weights(3)))).toBe('logits');
  await expect(kindOf(graphOf([product], weights(-0.1)))).rejects.toMatchObject({
    ...{ sqlstate: '22000', hint: 'Say it in spec: {"output_kind": "probabilities"}, or "logits".' },
  });
  expect(await kindOf(graphOf([product], weights(-0.1)), { output_kind: 'logits' })).toBe('logits');
});

test('a graph that mixes its rows is found out, and run row by row', async () => {
  const weights = {
    w: { shape: [4, 2], values: [1, 2, 3, 4, 5, 6, 7, 8] },
    axis: { shape: [1], values: [0], dtype: 'int32' as const },
  };
  const nodes = [
    product,
    { name: 'm', op: 'Mean', input: ['p', 'axis'], attr: { keep_dims: { b: true } } },
    { name: 'd', op: 'Sub', input: ['p', 'm'], attr: {} },
  ];
  const found = await checked(graphOf(nodes, weights), 'tabular_classification', { columns });
  expect(found.members[0]?.model.features.state['batch']).toBe(1);
  const alone = await checked(graphOf([product], weights), 'tabular_classification', { columns });
  expect(alone.members[0]?.model.features.state['batch']).toBe(null);
});

/** A graph of rows of any width on a placeholder of `size` numbers: their sums, for two classes. */
function sumsOf(size: number): Uint8Array {
  const shape = { shape: { dim: [{ size: '-1' }, { size: String(size) }] } };
  const weights = { name: 'w', shape: [size, 2], dtype: 'float32' as const };
  const node = [
    { name: 'x', op: 'Placeholder', attr: { dtype: { type: 1 }, shape } },
    { name: 'w', op: 'Const', attr: { dtype: { type: 1 } } },
    { ...product, name: 'scores' },
  ];
  const json = {
    modelTopology: { node, library: {}, versions: {} },
    weightsManifest: [{ paths: ['w'], weights: [weights] }],
  };
  return convertGraph(readGraphModel(json, new Uint8Array(new Float32Array(2 * size).fill(3).buffer)));
}

test('the sample of a graph that reads a long list has all of it', async () => {
  for (const size of [600, 500_001]) {
    const spec = { columns: [{ name: 'x', type: 'list' }], classes: ['no', 'yes'], output_kind: 'logits' };
    const found = await checked(sumsOf(size), 'tabular_classification', spec);
    const sample = sampleRow(found.members[0]?.model.explaining) as string;
    expect(JSON.parse(sample)).toEqual({ x: new Array(size).fill(0) });
    expect(await answersOf(found, [sample])).toHaveLength(2);
  }
});

test('a sample may have lists with NULLs and infinite numbers, and columns without a value', () => {
  const read = ['x', 'y'].map((name) => ({ name, kind: 'list' }));
  const row = JSON.stringify({ x: [1, null, '-Infinity', 0.5], y: null });
  expect(sampleRow({ kind: 'rows', columns: keepRows(rowsOf([row], read)) })).toBe(row);
});
