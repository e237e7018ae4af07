import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TrainedModel } from '../../../src/domain/training.ts';
import { type ImportedEncoder, importEncoder } from '../../../src/encoders/tuned/import-encoder.ts';
import { createSession } from '../../../src/engine/session.ts';
import { type Constant, Graph } from '../../../src/graph/graph.ts';
import { emitImported } from '../../../src/graph/imported/emit-imported.ts';
import { softmaxCrossEntropy } from '../../../src/graph/losses/softmax-cross-entropy.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import { matmul } from '../../../src/graph/ops/matmul.ts';
import { Tape } from '../../../src/graph/tape.ts';
import { wordPieces } from './word-pieces.ts';

const folder = path.resolve('test/fixtures/encoder');
const numbers = (text: string): Float32Array => new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer);

interface PyTorch {
  ids: number[][];
  head: string;
  truth: number[];
  vectors: string;
  loss: number;
  parameters: { name: string; shape: number[]; value: string; gradient: string }[];
}
const pytorch: PyTorch = JSON.parse(readFileSync(path.join(folder, 'bert.json'), 'utf8'));
const [rows, tokens] = [pytorch.ids.length, pytorch.ids[0]?.length ?? 0];

const inputs = ['input_ids', 'attention_mask', 'token_type_ids'];
const modelOf = (opset: number): TrainedModel => ({
  onnx: readFileSync(path.join(folder, `bert-${opset}.onnx`)),
  features: {
    encoder: 'tokens',
    state: {
      ...{ tokenizer: JSON.stringify(wordPieces), maxTokens: 16, prefix: '', inputs },
      ...{ output: 'last_hidden_state', pooling: 'mean' },
    },
    classes: [],
  },
});

const int64 = (values: readonly number[]) => ({
  dtype: 'int64' as const,
  shape: [rows, tokens],
  data: BigInt64Array.from(values, (value) => BigInt(value)),
});

/** Loss, vectors and gradients of all weights by name, on the batch that PyTorch had. */
async function computed({ graph }: ImportedEncoder, weights: readonly Constant[], threads: number) {
  const g = new Graph('check');
  const t = Tape.forTraining(g, { noise: () => g.scalar(1), threaded: threads > 1 });
  const given = inputs.map((name) => [name, g.input(name, [rows, 'T'], 'int64')] as const);
  const values = weights.map(({ name, shape }) => [name, g.input(name, shape)] as const);
  const vectors = emitImported(t, graph, { inputs: new Map(given), weights: new Map(values) });
  const head = g.constant(numbers(pytorch.head), [8, 3]);
  const truth = g.constant(Float32Array.from(pytorch.truth.flatMap((one) => [0, 1, 2].map((c) => Number(c === one)))), [
    rows,
    3,
  ]);
  const loss = softmaxCrossEntropy(t, matmul(t, vectors, head), truth);
  const gradients = t.gradients(
    loss,
    values.map(([, value]) => value),
  );
  g.output(loss, 'loss');
  g.output(vectors, 'vectors');
  for (const [i, gradient] of gradients.entries()) g.output(gradient, `d.${values[i]?.[0]}`);
  const session = await createSession(encodeModel(g), threads);
  const ids = pytorch.ids.flat();
  const feeds = { input_ids: int64(ids), attention_mask: int64(ids.map((id) => Number(id > 0))) };
  const found = await session.run({
    ...{ ...feeds, token_type_ids: int64(ids.map(() => 0)) },
    ...Object.fromEntries(
      weights.map(({ name, shape, data }) => [
        name,
        { dtype: 'float32', shape: shape.map(Number), data: data as Float32Array },
      ]),
    ),
  });
  await session.release();
  return (name: string): Float32Array => found[name]?.data as Float32Array;
}

/** PyTorch's gradient of a weight of the file: exports transpose matrices, and give them other names. */
function gradientOf({ shape, data }: Constant): Float32Array | undefined {
  const own = data as Float32Array;
  const [height = 1, width = 1] = shape.map(Number);
  for (const { value, gradient, shape: theirs } of pytorch.parameters) {
    const [given, slope] = [numbers(value), numbers(gradient)];
    if (own.every((each, i) => each === given[i]) && own.length === given.length) return slope;
    if (shape.length !== 2 || theirs[0] !== width || theirs[1] !== height) continue;
    const at = (i: number): number => (i % width) * height + Math.floor(i / width);
    if (own.every((each, i) => each === given[at(i)])) return slope.map((_, i) => slope[at(i)] as number);
  }
  return undefined;
}

const difference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), a.length === b.length ? 0 : 1);

describe.each([11, 17])('an encoder as PyTorch exports it with operators of version %i', (opset) => {
  it.each([1, 2])('has the gradients that PyTorch has, on %i threads', async (threads) => {
    const imported = await importEncoder(modelOf(opset));
    expect(imported).toMatchObject({ width: 8, trainable: { missing: [] } });
    expect(imported.inputs['input_ids']).toEqual({ shape: ['T'], dtype: 'int64' });
    expect(imported.trainable.tables.map(({ name }) => name)).toEqual([
      'words.weight',
      'places.weight',
      'types.weight',
    ]);
    const weights = [...imported.trainable.tables, ...imported.trainable.weights];
    expect(weights).toHaveLength(pytorch.parameters.length);
    const of = await computed(imported, weights, threads);
    expect(of('loss')[0]).toBeCloseTo(pytorch.loss, 5);
    expect(difference(of('vectors'), numbers(pytorch.vectors))).toBeLessThan(1e-4);
    for (const weight of weights) {
      const theirs = gradientOf(weight);
      expect(theirs, weight.name).toBeDefined();
      const scale = Math.max(0.01, ...(theirs ?? []).map(Math.abs));
      expect(difference(of(`d.${weight.name}`), theirs ?? new Float32Array(0)) / scale, weight.name).toBeLessThan(1e-4);
    }
  });
});
