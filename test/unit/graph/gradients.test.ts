import { describe, expect, it } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { createSession } from '../../../src/engine/session.ts';
import { Graph, type Value } from '../../../src/graph/graph.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import type { BatchNormParts } from '../../../src/graph/ops/batch-moments.ts';
import type { ConvOptions } from '../../../src/graph/ops/conv-shape.ts';
import { ops } from '../../../src/graph/ops/registry.ts';
import { Tape } from '../../../src/graph/tape.ts';
import { type GradientCase, gradientError, lossAndGradients } from './finite-differences.ts';

const ids = (shape: number[], ...data: number[]): TensorData => ({
  dtype: 'int32',
  shape,
  data: Int32Array.from(data),
});
const half: TensorData = { dtype: 'float32', shape: [], data: Float32Array.of(0.5) };
const targets: TensorData = { dtype: 'float32', shape: [2, 3], data: Float32Array.of(0.9, 0.05, 0.05, 0.1, 0.2, 0.7) };

const zeros = (size: number): TensorData => ({ dtype: 'float32', shape: [size], data: new Float32Array(size) });
const normParts = (of: (name: string) => Value): BatchNormParts => ({
  gamma: of('gamma'),
  beta: of('beta'),
  mean: of('mean'),
  variance: of('variance'),
});

/** Largest relative error allowed. Smooth ops: float32 rounding over a step of 1e-2. Kinked ones take a smaller step. */
interface Case extends GradientCase {
  tolerance: number;
}
const smooth = 2e-3;
const kinked = 1e-2;

const cases: Record<keyof typeof ops, Case> = {
  add: { tolerance: smooth, inputs: { a: [2, 3, 4], b: [3, 1] }, build: (t, of) => ops.add(t, of('a'), of('b')) },
  sub: { tolerance: smooth, inputs: { a: [2, 1, 4], b: [3, 4] }, build: (t, of) => ops.sub(t, of('a'), of('b')) },
  mul: { tolerance: smooth, inputs: { a: [2, 3, 4], b: [4] }, build: (t, of) => ops.mul(t, of('a'), of('b')) },
  relu: { tolerance: kinked, step: 1e-3, inputs: { x: [3, 4] }, build: (t, of) => ops.relu(t, of('x')) },
  tanh: { tolerance: smooth, inputs: { x: [3, 4] }, build: (t, of) => ops.tanh(t, of('x')) },
  sigmoid: { tolerance: smooth, inputs: { x: [3, 4] }, build: (t, of) => ops.sigmoid(t, of('x')) },
  matmul: { tolerance: smooth, inputs: { x: [2, 3, 4], w: [4, 5] }, build: (t, of) => ops.matmul(t, of('x'), of('w')) },
  dense: {
    tolerance: smooth,
    inputs: { x: [3, 4], w: [4, 2], b: [2] },
    build: (t, of) => ops.dense(t, of('x'), of('w'), of('b')),
  },
  reshape: { tolerance: smooth, inputs: { x: [2, 6] }, build: (t, of) => ops.reshape(t, of('x'), [3, 4]) },
  transpose: { tolerance: smooth, inputs: { x: [2, 3, 4] }, build: (t, of) => ops.transpose(t, of('x'), [2, 0, 1]) },
  concat: {
    tolerance: smooth,
    inputs: { a: [2, 3], b: [2, 1] },
    build: (t, of) => ops.concat(t, [of('a'), of('b')], 1),
  },
  sum: { tolerance: smooth, inputs: { x: [2, 3, 4] }, build: (t, of) => ops.sum(t, of('x'), [0, 2]) },
  mean: { tolerance: smooth, inputs: { x: [2, 3, 4] }, build: (t, of) => ops.mean(t, of('x'), [1]) },
  max: { tolerance: kinked, step: 1e-3, inputs: { x: [2, 5, 3] }, build: (t, of) => ops.max(t, of('x'), 1) },
  dropout: {
    tolerance: smooth,
    inputs: { x: [4, 5] },
    given: { half },
    build: (t, of) => ops.dropout(t, of('x'), of('half')),
  },
  conv1d: {
    tolerance: smooth,
    inputs: { x: [2, 6, 3], w: [9, 4] },
    build: (t, of) => ops.conv1d(t, of('x'), of('w'), 3),
  },
  conv1dMax: {
    tolerance: kinked,
    step: 1e-3,
    inputs: { x: [2, 6, 3], w: [9, 4] },
    build: (t, of) => ops.conv1dMax(t, of('x'), of('w'), 3),
  },
  conv2d: {
    tolerance: smooth,
    inputs: { x: [2, 2, 5, 5], w: [3, 2, 3, 3] },
    build: (t, of) => ops.conv2d(t, of('x'), of('w'), { pad: 1 }),
  },
  maxPool: {
    tolerance: kinked,
    step: 1e-3,
    inputs: { x: [2, 2, 4, 4] },
    build: (t, of) => ops.maxPool(t, of('x'), { size: 2 }),
  },
  averagePool: { tolerance: smooth, inputs: { x: [2, 2, 4, 4] }, build: (t, of) => ops.averagePool(t, of('x'), 2) },
  globalAveragePool: {
    tolerance: smooth,
    inputs: { x: [2, 3, 4, 4] },
    build: (t, of) => ops.globalAveragePool(t, of('x')),
  },
  batchNorm: {
    tolerance: smooth,
    inputs: { x: [3, 2, 3, 3], gamma: [2], beta: [2] },
    given: { mean: zeros(2), variance: zeros(2) },
    build: (t, of) => ops.batchNorm(t, of('x'), normParts(of)),
  },
  embedding: {
    tolerance: smooth,
    inputs: { table: [5, 3] },
    given: { ids: ids([2, 3], 1, 3, 3, 0, 1, 1) },
    build: (t, of) => ops.embedding(t, of('table'), of('ids')),
  },
  embeddingBag: {
    tolerance: smooth,
    inputs: { table: [5, 3] },
    given: { ids: ids([3, 3], 1, 3, 3, 2, 4, 0, 0, 0, 0) },
    build: (t, of) => ops.embeddingBag(t, of('table'), of('ids')),
  },
  softmaxCrossEntropy: {
    tolerance: smooth,
    inputs: { logits: [2, 3] },
    given: { targets },
    build: (t, of) => ops.softmaxCrossEntropy(t, of('logits'), of('targets')),
  },
};

describe('emitted gradients equal central finite differences', () => {
  it.each(Object.entries(cases))('%s', async (_, { tolerance, ...gradientCase }) => {
    expect(await gradientError(gradientCase)).toBeLessThan(tolerance);
  });

  it('conv1dMax → relu, as the temporal CNN joins them, over a length known only when the graph runs', async () => {
    const error = await gradientError({
      inputs: { table: [9, 3], w: [6, 4], b: [4] },
      given: { ids: ids([2, 5], 1, 2, 3, 4, 5, 6, 7, 8, 1, 2) },
      declared: { ids: [2, 'T'] },
      step: 1e-3,
      build: (t, of) => {
        const strongest = ops.conv1dMax(t, ops.embedding(t, of('table'), of('ids')), of('w'), 2);
        return ops.relu(t, ops.add(t, strongest, of('b')));
      },
    });
    expect(error).toBeLessThan(kinked);
  });

  it.each<[string, ConvOptions, number[], number[]]>([
    ['strided', { stride: 2, pad: 1 }, [2, 2, 6, 5], [3, 2, 3, 3]],
    ['grouped', { groups: 2, pad: 1 }, [2, 4, 4, 4], [6, 2, 3, 3]],
    ['depthwise', { groups: 3, pad: 1 }, [2, 3, 4, 4], [3, 1, 3, 3]],
    ['dilated', { dilation: 2, pad: 2 }, [2, 2, 5, 5], [2, 2, 3, 3]],
    ['1×1', {}, [2, 3, 3, 3], [4, 3, 1, 1]],
    ['1×1, strided', { stride: 2 }, [2, 3, 4, 4], [4, 3, 1, 1]],
    ['wide and without padding', {}, [1, 2, 5, 6], [2, 2, 3, 4]],
  ])('conv2d, %s', async (_, options, x, w) => {
    const build: GradientCase['build'] = (t, of) => ops.conv2d(t, of('x'), of('w'), options);
    expect(await gradientError({ inputs: { x, w }, build })).toBeLessThan(smooth);
  });

  it('maxPool over windows that overlap and reach over the edge', async () => {
    const build: GradientCase['build'] = (t, of) => ops.maxPool(t, of('x'), { size: 3, stride: 2, pad: 1 });
    expect(await gradientError({ inputs: { x: [2, 2, 5, 6] }, build, step: 1e-3 })).toBeLessThan(kinked);
  });

  it('batchNorm with a shortcut and ReLU', async () => {
    const error = await gradientError({
      inputs: { x: [3, 2, 3, 3], gamma: [2], beta: [2], residual: [3, 2, 3, 3] },
      given: { mean: zeros(2), variance: zeros(2) },
      step: 1e-3,
      build: (t, of) => ops.batchNorm(t, of('x'), normParts(of), { residual: of('residual'), relu: true }),
    });
    expect(error).toBeLessThan(kinked);
  });

  it('embedding, emitted for several threads', async () => {
    expect(await gradientError({ ...cases.embedding, threads: 2 })).toBeLessThan(smooth);
  });
});

it('batchNorm stays finite where a channel has one large number everywhere', async () => {
  const even: TensorData = { dtype: 'float32', shape: [4, 1, 8, 8], data: new Float32Array(256).fill(1234.567) };
  const { loss, 'd.gamma': dgamma } = await lossAndGradients({
    inputs: { gamma: [1], beta: [1] },
    given: { even, mean: zeros(1), variance: zeros(1) },
    build: (t, of) => ops.batchNorm(t, of('even'), normParts(of)),
  });
  expect([loss?.[0], dgamma?.[0]].every(Number.isFinite)).toBe(true);
});

it.each([1, 2])('embedding adds up a row that is named ten thousand times, on %i threads', async (threads) => {
  const count = 20_000;
  const g = new Graph('many');
  const table = g.input('table', [2, 64]);
  const named = g.input('ids', [count], 'int32');
  const tape = Tape.forTraining(g, { noise: () => table, threaded: threads > 1 });
  const total = ops.sum(tape, ops.embedding(tape, table, named), [0, 1]);
  g.output(tape.gradients(total, [table])[0] as Value, 'gradient');
  const session = await createSession(encodeModel(g), threads);
  const { gradient } = await session.run({
    table: { dtype: 'float32', shape: [2, 64], data: new Float32Array(128) },
    ids: { dtype: 'int32', shape: [count], data: Int32Array.from({ length: count }, (_, i) => i % 2) },
  });
  await session.release();
  expect(gradient?.data).toEqual(new Float32Array(128).fill(count / 2));
});
