import { describe, expect, it, vi } from 'vitest';
import type { RawInput } from '../../../src/domain/task.ts';
import type { FittedFeatures, TrainedModel } from '../../../src/domain/training.ts';
import { obstacleOf } from '../../../src/encoders/tuned/check-trainable.ts';
import { importEncoder } from '../../../src/encoders/tuned/import-encoder.ts';
import { importedVectors } from '../../../src/encoders/tuned/imported-vectors.ts';
import { sampleImage } from '../../../src/features/images.ts';
import { type Preprocessing, preprocessingState } from '../../../src/features/pretrained/preprocessing.ts';
import * as emit from '../../../src/graph/emit.ts';
import { type Attribute, Graph, type Shape, type Value } from '../../../src/graph/graph.ts';
import type { GradientRule } from '../../../src/graph/imported/gradients/gradient.ts';
import { gradientRules } from '../../../src/graph/imported/gradients/registry.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { knownVectors } from './known-vectors.ts';
import { wordPieces } from './word-pieces.ts';

const [width, words] = [5, 20];

function weights(g: Graph, shape: readonly number[]): Value {
  const rng = createRng(shape.length + 3);
  const size = shape.reduce((a, b) => a * b, 1);
  return g.constant(
    Float32Array.from({ length: size }, () => rng.normal()),
    shape,
  );
}

/** The file with another version of ONNX's operators: that of ours is its last two bytes. */
function ofVersion(file: Uint8Array, opset: number): Uint8Array {
  const old = file.slice();
  expect(Array.from(old.subarray(-4))).toEqual([0x42, 2, 0x10, 18]);
  old[old.length - 1] = opset;
  return old;
}

type GraphLayer = (g: Graph, hidden: Value) => Value;

/** ids and a mask → [N, T, width]. */
function textEncoder(
  state: Record<string, unknown>,
  layer: GraphLayer = (_, hidden) => hidden,
  opset = 18,
): TrainedModel {
  const g = new Graph('texts');
  const ids = g.input('input_ids', ['N', 'T'], 'int64');
  const inputs = state['isMasked'] === false ? ['input_ids'] : ['input_ids', 'attention_mask'];
  if (inputs.length > 1) g.input('attention_mask', ['N', 'T'], 'int64');
  const found = g.node('Gather', [weights(g, [words, width]), ids], ['N', 'T', width], { attributes: { axis: 0 } });
  const hidden = g.node('MatMul', [found, weights(g, [width, width])], ['N', 'T', width]);
  g.output(layer(g, hidden), 'last_hidden_state');
  const features: FittedFeatures = {
    encoder: 'tokens',
    state: { ...{ tokenizer: JSON.stringify(wordPieces), maxTokens: 16, prefix: '', inputs, ...state } },
    classes: [],
  };
  return { onnx: ofVersion(encodeModel(g), opset), features };
}

/** Pixels [N, 3, 8, 8] → mixed, in the shape of `layer`. */
function imageEncoder(pooling: string, layer: GraphLayer): TrainedModel {
  const g = new Graph('images');
  const pixels = g.input('pixels', ['N', 3, 8, 8]);
  g.output(layer(g, pixels), 'answer');
  const preprocessing: Preprocessing = {
    ...{ resize: { kind: 'stretched', width: 8, height: 8 }, crop: null, resampling: 'linear', input: 'pixels' },
    ...{ scale: [1 / 128, 1 / 128, 1 / 128], offset: [-1, -1, -1] },
  };
  const state = { ...preprocessingState(preprocessing), pooling };
  return { onnx: encodeModel(g), features: { encoder: 'preprocessed', state, classes: [] } };
}

const mixed: GraphLayer = (g, pixels) => g.node('MatMul', [pixels, weights(g, [8, 8])], ['N', 3, 8, 8]);
const parts: GraphLayer = (g, pixels) => {
  const flat = g.node('Reshape', [pixels, g.ints([0, 3, -1])], ['N', 3, 64]);
  return g.node('MatMul', [flat, weights(g, [64, width])], ['N', 3, width]);
};

const images = (): Promise<RawInput[]> =>
  Promise.all(
    [
      { width: 20, height: 30 },
      { width: 8, height: 8 },
      { width: 90, height: 40 },
    ].map(sampleImage),
  );

/** The largest difference between the vectors of the encoder as it is, and of the one that would be trained, before any step. */
async function difference(model: TrainedModel, inputs?: readonly RawInput[]): Promise<number> {
  const known = await knownVectors(model, inputs);
  const own = await importedVectors(await importEncoder(model), known.inputs);
  expect(own).toHaveLength(known.vectors.length);
  expect(new Set(known.vectors).size).toBeGreaterThan(known.inputs.length);
  expect(await obstacleOf(model, known)).toBeNull();
  return known.vectors.reduce((most, value, i) => Math.max(most, Math.abs(value - (own[i] as number))), 0);
}

describe('an encoder has the same vectors frozen, and trained with no step', () => {
  it.each([
    ['the mean of the tokens that are no padding', { pooling: 'mean' }],
    ['the mean of all tokens', { pooling: 'mean', isMasked: false }],
    ['the first token', { pooling: 'cls' }],
  ])('%s', async (_, state) => {
    expect(await difference(textEncoder(state))).toBeLessThan(1e-5);
  });

  it.each([
    ['pixels with channels first, asked for as they are', 'output', mixed, 3],
    ['the mean of pixels with channels first', 'mean', mixed, 3],
    ['the mean of parts', 'mean', parts, width],
    ['the first part', 'cls', parts, width],
  ] as const)('%s', async (_, pooling, layer, numbers) => {
    const model = imageEncoder(pooling, layer);
    expect(await difference(model, await images())).toBeLessThan(1e-5);
    expect(await importEncoder(model)).toMatchObject({ width: numbers });
  });

  it('says which pooling does not fit', async () => {
    const model = imageEncoder('cls', mixed);
    await expect(knownVectors(model, await images())).rejects.toMatchObject({
      hint: expect.stringMatching(/--pooling/),
    });
    await expect(importEncoder(model)).rejects.toMatchObject({ hint: expect.stringMatching(/--pooling/) });
  });
});

describe('whether an encoder can be trained further', () => {
  const numbers = BigInt64Array.of(2n);
  const squared: GraphLayer = (g, hidden) =>
    g.node('Pow', [hidden, g.constant(numbers, [], { dtype: 'int64' })], hidden.shape);
  const computed: GraphLayer = (g, hidden) => {
    const exponent = g.node('Add', [g.constant(numbers, [], { dtype: 'int64' }), g.ints([1])], [1], { dtype: 'int64' });
    return g.node('Pow', [hidden, exponent], hidden.shape);
  };

  it.each([
    ['given', squared],
    ['computed', computed],
  ])('powers with whole numbers that are %s can', async (_, layer) => {
    expect(await difference(textEncoder({ pooling: 'mean' }, layer))).toBeLessThan(1e-4);
  });

  it('gradients that ONNX Runtime does not take cannot', async () => {
    const model = textEncoder({ pooling: 'mean' }, squared);
    const known = await knownVectors(model);
    const ofWholeNumbers = vi.spyOn(gradientRules[':Pow'] as GradientRule, 'gradient');
    ofWholeNumbers.mockImplementation(({ g, inputs: [x, p] }) => [emit.mul(g, x as Value, p as Value), null]);
    expect(await obstacleOf(model, known)).toMatch(/ONNX Runtime cannot load a graph/);
    ofWholeNumbers.mockRestore();
    expect(await obstacleOf(model, known)).toBeNull();
  });
});

describe('Gelu, which is an operator from version 20 on', () => {
  it.each([{}, { approximate: 'none' }, { approximate: 'tanh' }])('%o', async (attributes) => {
    const layer: GraphLayer = (g, hidden) => g.node('Gelu', [hidden], hidden.shape, { attributes });
    expect(await difference(textEncoder({ pooling: 'mean' }, layer, 20))).toBeLessThan(1e-5);
  });
});

describe('operators that were other ones before version 13', () => {
  const ofOp =
    (op: string, attributes: Record<string, Attribute>): GraphLayer =>
    (g, hidden) => {
      const shape: Shape = hidden.shape;
      return g.node('MatMul', [g.node(op, [hidden], shape, { attributes }), weights(g, [width, width])], shape);
    };
  const axes = [{}, { axis: 1 }, { axis: 2 }, { axis: -1 }, { axis: -2 }];

  it.each(['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op) => axes.map((axis) => [op, axis] as const)))(
    '%s %o is over all axes from that one on',
    async (op, axis) => {
      for (const opset of [11, 12, 17])
        expect(await difference(textEncoder({ pooling: 'mean' }, ofOp(op, axis), opset))).toBeLessThan(1e-5);
    },
  );
});
