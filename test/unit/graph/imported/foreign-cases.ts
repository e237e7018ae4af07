import { type Attribute, type Constant, elementTypes, type Shape, type Value } from '../../../../src/graph/graph.ts';
import { emitImported } from '../../../../src/graph/imported/emit-imported.ts';
import { ops } from '../../../../src/graph/ops/registry.ts';
import type { Tape } from '../../../../src/graph/tape.ts';
import type { GradientCase } from '../finite-differences.ts';
import { kinked, type OpCase, smooth } from '../op-cases.ts';

interface ForeignCase {
  /** Float inputs by name, `x` first. */
  inputs: Record<string, readonly number[]>;
  /** Whole numbers and conditions. */
  constants?: Record<string, Omit<Constant, 'name'>>;
  /** The inputs of the node, in order; default: the float inputs, then the constants. */
  order?: readonly string[];
  attributes?: Record<string, Attribute>;
  /** Shapes of its outputs. */
  outputs: readonly Shape[];
  /** The one that is read. */
  read?: number;
  /** Positive inputs: x² + ½. */
  positive?: boolean;
  kinked?: boolean;
}

export const int64 = (
  values: readonly number[],
  shape: readonly number[] = [values.length],
): Omit<Constant, 'name'> => ({
  shape,
  dtype: 'int64',
  data: BigInt64Array.from(values, (value) => BigInt(value)),
});
const bools = (values: readonly number[], shape: readonly number[]): Omit<Constant, 'name'> => ({
  shape,
  dtype: 'bool',
  data: Uint8Array.from(values),
});

const float32 = (value: number): Omit<Constant, 'name'> => ({
  shape: [],
  dtype: 'float32',
  data: Float32Array.of(value),
});

/** Dimensions of x as if they were known only when the graph runs. */
type Hidden = (shape: Shape) => Shape;
const known: Hidden = (shape) => shape;

export function caseOf(name: string, given: ForeignCase, hidden = known): OpCase {
  const [domain = '', op = ''] = name.split(':');
  const { inputs, constants = {}, attributes = {}, outputs, read = 0, positive = false } = given;
  const order = given.order ?? [...Object.keys(inputs), ...Object.keys(constants)];
  const names = outputs.map((_, i) => `y${i}`);
  const build: GradientCase['build'] = (t, of) => {
    const floats = Object.keys(inputs).map((input): [string, Value] => {
      const x = positive ? aboveZero(t, of(input)) : of(input);
      return [input, { ...x, shape: hidden(x.shape) }];
    });
    const y = emitImported(
      t,
      {
        nodes: [{ op, domain, inputs: order, outputs: names, attributes }],
        constants: new Map(Object.entries(constants).map(([own, value]) => [own, { ...value, name: own }])),
        ...{ inputs: [], output: `y${read}` },
        shapes: new Map(names.map((own, i) => [own, hidden(outputs[i] as Shape)])),
      },
      { inputs: new Map(), weights: new Map(floats) },
    );
    return withShape(t, y, outputs[read] as Shape);
  };
  const isKinked = given.kinked === true;
  return { inputs, build, tolerance: isKinked ? kinked : smooth, ...(isKinked ? { step: 1e-3 } : {}) };
}

/** y, whose shape is known here. */
const withShape = (t: Tape, y: Value, shape: Shape): Value =>
  t.record({ ...t.graph.node('Identity', [y], shape) }, [y], (dy) => [dy]);

const aboveZero = (t: Tape, x: Value): Value => ops.add(t, ops.mul(t, x, x), t.graph.scalar(0.5));

const same = (more: Partial<ForeignCase> = {}): ForeignCase => ({ inputs: { x: [3, 4] }, outputs: [[3, 4]], ...more });
const pair = (more: Partial<ForeignCase> = {}): ForeignCase => ({
  inputs: { a: [2, 3, 4], b: [3, 1] },
  outputs: [[2, 3, 4]],
  ...more,
});
const float = (value: number) => ({ float: value });

/** One case for each rule. */
export const foreignCases: Readonly<Record<string, ForeignCase>> = {
  ':Add': pair(),
  ':Sub': pair(),
  ':Mul': pair(),
  ':Div': pair({ positive: true }),
  ':Pow': pair({ positive: true }),
  ':Sum': pair({ inputs: { a: [2, 3, 4], b: [3, 1], c: [4] } }),
  ':Max': pair({ kinked: true }),
  ':Min': pair({ kinked: true }),
  ':Where': pair({
    constants: { c: bools([1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1, 0], [3, 4]) },
    order: ['c', 'a', 'b'],
  }),
  ':Clip': same({ constants: { low: float32(-0.5), high: float32(0.8) }, kinked: true }),
  ':Identity': same(),
  ':Cast': same({ attributes: { to: elementTypes.float32 } }),
  ':Neg': same(),
  ':Abs': same({ kinked: true }),
  ':Exp': same(),
  ':Log': same({ positive: true }),
  ':Sqrt': same({ positive: true }),
  ':Reciprocal': same({ positive: true }),
  ':Sin': same(),
  ':Cos': same(),
  ':Tanh': same(),
  ':Sigmoid': same(),
  ':Softplus': same(),
  ':Relu': same({ kinked: true }),
  ':LeakyRelu': same({ kinked: true, attributes: { alpha: float(0.2) } }),
  ':Elu': same({ kinked: true, attributes: { alpha: float(0.7) } }),
  ':Erf': same(),
  ':MatMul': { inputs: { a: [2, 3, 4], b: [4, 5] }, outputs: [[2, 3, 5]] },
  ':Gemm': {
    inputs: { a: [4, 3], b: [5, 4], c: [5] },
    attributes: { transA: 1, transB: 1, alpha: float(0.7), beta: float(1.5) },
    outputs: [[3, 5]],
  },
  'com.microsoft:FusedMatMul': {
    inputs: { a: [2, 4, 3], b: [2, 5, 4] },
    attributes: { transA: 1, transB: 1, alpha: float(0.5) },
    outputs: [[2, 3, 5]],
  },
  ':Softmax': same({ inputs: { x: [2, 3, 4] }, outputs: [[2, 3, 4]], attributes: { axis: 1 } }),
  ':LogSoftmax': same({ attributes: { axis: -1 } }),
  ':LayerNormalization': {
    inputs: { x: [2, 3, 5], scale: [5], bias: [5] },
    attributes: { axis: -1, epsilon: float(1e-3) },
    outputs: [[2, 3, 5]],
  },
  ':BatchNormalization': {
    inputs: { x: [2, 3, 2, 2], scale: [3], bias: [3] },
    constants: {
      mean: { shape: [3], dtype: 'float32', data: Float32Array.of(0.1, -0.2, 0.3) },
      variance: { shape: [3], dtype: 'float32', data: Float32Array.of(0.5, 1, 2) },
    },
    outputs: [[2, 3, 2, 2]],
  },
  ':ReduceSum': {
    inputs: { x: [2, 3, 4] },
    constants: { axes: int64([1]) },
    attributes: { keepdims: 0 },
    outputs: [[2, 4]],
  },
  ':ReduceMean': { inputs: { x: [2, 3, 4] }, constants: { axes: int64([-1, 0]) }, outputs: [[1, 3, 1]] },
  ':ReduceMax': {
    inputs: { x: [2, 3, 4] },
    constants: { axes: int64([2]) },
    attributes: { keepdims: 0 },
    outputs: [[2, 3]],
    kinked: true,
  },
  ':ReduceMin': { inputs: { x: [2, 3, 4] }, constants: { axes: int64([2]) }, outputs: [[2, 3, 1]], kinked: true },
  ':ReduceSumSquare': { inputs: { x: [2, 3, 4] }, constants: { axes: int64([1]) }, outputs: [[2, 1, 4]] },
  ':ReduceL2': { inputs: { x: [2, 3, 4] }, attributes: { keepdims: 0 }, outputs: [[]] },
  ':GlobalAveragePool': { inputs: { x: [2, 3, 2, 5] }, outputs: [[2, 3, 1, 1]] },
  ':Reshape': { inputs: { x: [2, 6] }, constants: { shape: int64([3, 4]) }, outputs: [[3, 4]] },
  ':Flatten': { inputs: { x: [2, 3, 4] }, attributes: { axis: 1 }, outputs: [[2, 12]] },
  ':Squeeze': { inputs: { x: [2, 1, 4] }, constants: { axes: int64([1]) }, outputs: [[2, 4]] },
  ':Unsqueeze': { inputs: { x: [2, 4] }, constants: { axes: int64([0, -1]) }, outputs: [[1, 2, 4, 1]] },
  ':Transpose': { inputs: { x: [2, 3, 4] }, attributes: { perm: [1, 2, 0] }, outputs: [[3, 4, 2]] },
  ':Expand': { inputs: { x: [3, 1] }, constants: { shape: int64([2, 3, 4]) }, outputs: [[2, 3, 4]] },
  ':Concat': { inputs: { a: [2, 3, 4], b: [2, 1, 4], c: [2, 2, 4] }, attributes: { axis: 1 }, outputs: [[2, 6, 4]] },
  ':Split': {
    inputs: { x: [2, 6, 2] },
    constants: { sizes: int64([1, 3, 2]) },
    attributes: { axis: 1 },
    outputs: [
      [2, 1, 2],
      [2, 3, 2],
      [2, 2, 2],
    ],
    read: 1,
  },
  ':Slice': {
    inputs: { x: [4, 5] },
    constants: { starts: int64([1, -4]), ends: int64([3, 2 ** 31]), axes: int64([0, 1]) },
    outputs: [[2, 4]],
  },
  ':Gather': {
    inputs: { x: [3, 4, 2] },
    constants: { index: int64([1, 3, 1, -1, 0, 1], [2, 3]) },
    attributes: { axis: 1 },
    outputs: [[3, 2, 3, 2]],
  },
  ':GatherND': {
    inputs: { x: [3, 4, 2] },
    constants: { index: int64([1, 3, 0, 0, 1, 3], [3, 2]) },
    outputs: [[3, 2]],
  },
  ':ScatterND': {
    inputs: { data: [3, 4], updates: [2, 4] },
    constants: { index: int64([2, 0], [2, 1]) },
    order: ['data', 'index', 'updates'],
    outputs: [[3, 4]],
  },
};
