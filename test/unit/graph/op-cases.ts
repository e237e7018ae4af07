import type { TensorData } from '../../../src/domain/tensor.ts';
import type { Value } from '../../../src/graph/graph.ts';
import type { BatchNormParts } from '../../../src/graph/ops/batch-moments.ts';
import type { RecurrentParts } from '../../../src/graph/ops/recurrent/recurrent.ts';
import { ops } from '../../../src/graph/ops/registry.ts';
import type { Tape } from '../../../src/graph/tape.ts';
import type { GradientCase } from './finite-differences.ts';

export const ids = (shape: number[], ...data: number[]): TensorData => ({
  dtype: 'int32',
  shape,
  data: Int32Array.from(data),
});
export const floats = (shape: number[], ...data: number[]): TensorData => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(data),
});
const half = floats([], 0.5);

/** x² + ½: what a quotient or a logarithm may be given. */
const aboveZero = (t: Tape, x: Value): Value => ops.add(t, ops.mul(t, x, x), t.graph.scalar(0.5));

export const zeros = (size: number): TensorData => ({ dtype: 'float32', shape: [size], data: new Float32Array(size) });
export const normParts = (of: (name: string) => Value): BatchNormParts => ({
  gamma: of('gamma'),
  beta: of('beta'),
  mean: of('mean'),
  variance: of('variance'),
});

export const recurrentParts = (of: (name: string) => Value): RecurrentParts => ({ w: of('w'), r: of('r'), b: of('b') });

/** Largest relative error allowed. Smooth ops: float32 rounding over a step of 1e-2. Kinked ones take a smaller step. */
export interface OpCase extends GradientCase {
  tolerance: number;
}
export const smooth = 2e-3;
export const kinked = 1e-2;

/** One case for each op of the registry: what every engine's gradients are held to. */
export const opCases: Record<keyof typeof ops, OpCase> = {
  add: { tolerance: smooth, inputs: { a: [2, 3, 4], b: [3, 1] }, build: (t, of) => ops.add(t, of('a'), of('b')) },
  sub: { tolerance: smooth, inputs: { a: [2, 1, 4], b: [3, 4] }, build: (t, of) => ops.sub(t, of('a'), of('b')) },
  mul: { tolerance: smooth, inputs: { a: [2, 3, 4], b: [4] }, build: (t, of) => ops.mul(t, of('a'), of('b')) },
  div: {
    tolerance: smooth,
    inputs: { a: [2, 1, 4], b: [3, 4] },
    build: (t, of) => ops.div(t, of('a'), aboveZero(t, of('b'))),
  },
  exp: { tolerance: smooth, inputs: { x: [3, 4] }, build: (t, of) => ops.exp(t, of('x')) },
  log: { tolerance: smooth, inputs: { x: [3, 4] }, build: (t, of) => ops.log(t, aboveZero(t, of('x'))) },
  cos: { tolerance: smooth, inputs: { x: [3, 4] }, build: (t, of) => ops.cos(t, of('x')) },
  abs: { tolerance: kinked, step: 1e-3, inputs: { x: [3, 4] }, build: (t, of) => ops.abs(t, of('x')) },
  clip: { tolerance: kinked, step: 1e-3, inputs: { x: [3, 4] }, build: (t, of) => ops.clip(t, of('x'), -0.5, 0.8) },
  maximum: {
    tolerance: kinked,
    step: 1e-3,
    inputs: { a: [3, 1, 4], b: [2, 4] },
    build: (t, of) => ops.maximum(t, of('a'), of('b')),
  },
  minimum: {
    tolerance: kinked,
    step: 1e-3,
    inputs: { a: [3, 1, 4], b: [2, 4] },
    build: (t, of) => ops.minimum(t, of('a'), of('b')),
  },
  relu: { tolerance: kinked, step: 1e-3, inputs: { x: [3, 4] }, build: (t, of) => ops.relu(t, of('x')) },
  tanh: { tolerance: smooth, inputs: { x: [3, 4] }, build: (t, of) => ops.tanh(t, of('x')) },
  sigmoid: { tolerance: smooth, inputs: { x: [3, 4] }, build: (t, of) => ops.sigmoid(t, of('x')) },
  matmul: { tolerance: smooth, inputs: { x: [2, 3, 4], w: [4, 5] }, build: (t, of) => ops.matmul(t, of('x'), of('w')) },
  dense: {
    tolerance: smooth,
    inputs: { x: [3, 4], w: [4, 2], b: [2] },
    build: (t, of) => ops.dense(t, of('x'), of('w'), of('b')),
  },
  batchMatmul: {
    tolerance: smooth,
    inputs: { a: [2, 2, 3, 4], b: [2, 2, 4, 2] },
    build: (t, of) => ops.batchMatmul(t, of('a'), of('b')),
  },
  reshape: { tolerance: smooth, inputs: { x: [2, 6] }, build: (t, of) => ops.reshape(t, of('x'), [3, 4]) },
  transpose: { tolerance: smooth, inputs: { x: [2, 3, 4] }, build: (t, of) => ops.transpose(t, of('x'), [2, 0, 1]) },
  concat: {
    tolerance: smooth,
    inputs: { a: [2, 3], b: [2, 1] },
    build: (t, of) => ops.concat(t, [of('a'), of('b')], 1),
  },
  slice: {
    tolerance: smooth,
    inputs: { x: [2, 5, 3] },
    build: (t, of) => ops.slice(t, of('x'), { axis: 1, start: 1, end: 3 }),
  },
  padBefore: {
    tolerance: smooth,
    inputs: { x: [2, 3, 4] },
    build: (t, of) => ops.padBefore(t, of('x'), { axis: 1, count: 2 }),
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
  upsample: { tolerance: smooth, inputs: { x: [2, 2, 2, 3] }, build: (t, of) => ops.upsample(t, of('x')) },
  roiPool: {
    tolerance: smooth,
    inputs: { x: [2, 2, 4, 5] },
    given: { boxes: floats([2, 2, 4], 0.4, 0.2, 3.1, 2.9, 1, 1, 4, 4, -1, 0.5, 2.2, 5, 3.3, 2.1, 4.9, 3.7) },
    build: (t, of) => ops.roiPool(t, of('x'), of('boxes'), { size: 3 }),
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
  gru: {
    tolerance: smooth,
    inputs: { x: [3, 4, 2], w: [9, 2], r: [9, 3], b: [18] },
    given: { lengths: ids([3], 4, 1, 2) },
    build: (t, of) => ops.gru(t, of('x'), recurrentParts(of), { lengths: of('lengths') }),
  },
  lstm: {
    tolerance: smooth,
    inputs: { x: [3, 4, 2], w: [12, 2], r: [12, 3], b: [12] },
    given: { lengths: ids([3], 4, 1, 2) },
    build: (t, of) => ops.lstm(t, of('x'), recurrentParts(of), { lengths: of('lengths') }),
  },
};
