import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { convertGraph } from '../../../src/encoders/tfjs/convert-graph.ts';
import { readGraphModel, weightFiles } from '../../../src/encoders/tfjs/model-json.ts';
import { createSession } from '../../../src/engine/session.ts';
import { createRng } from '../../../src/runtime/rng.ts';

type CaseDtype = 'float32' | 'int32' | 'bool';
interface CaseTensor {
  shape: number[];
  data: number[];
  dtype?: CaseDtype;
}
interface ConvertedCase {
  /** Fed inputs, in the order of the op's. */
  fed: CaseTensor[];
  /** Constant inputs after them. */
  constants?: CaseTensor[];
  attributes?: Record<string, unknown>;
  /** Outputs. */
  outputs?: number;
}

const rng = createRng(9);
const floats = (...shape: number[]): CaseTensor => ({
  shape,
  data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
});
const positive = (...shape: number[]): CaseTensor => ({
  shape,
  data: floats(...shape).data.map((x) => Math.abs(x) + 0.1),
});
const ints = (...data: number[]): CaseTensor => ({ shape: [data.length], data, dtype: 'int32' });
const int = (value: number): CaseTensor => ({ shape: [], data: [value], dtype: 'int32' });
const bools = (...data: number[]): CaseTensor => ({ shape: [data.length], data, dtype: 'bool' });
const text = (value: string): unknown => ({ s: Buffer.from(value).toString('base64') });
const list = (...values: number[]): unknown => ({ list: { i: values.map(String) } });
const flag = (value: boolean): unknown => ({ b: value });
const number = (value: number): unknown => ({ i: String(value) });
const type = (value: number): unknown => ({ type: value });
const nhwc = { data_format: text('NHWC') };
const image = floats(2, 7, 6, 4);

const texts = (...values: string[]): unknown => ({
  list: { s: values.map((value) => Buffer.from(value).toString('base64')) },
});
const window = { ...nhwc, strides: list(1, 2, 2, 1), dilations: list(1, 1, 1, 1), padding: text('SAME') };

/** Each op of `graphOps`, with the attributes that change what it does. */
const cases: Record<string, ConvertedCase | ConvertedCase[]> = {
  _FusedConv2D: [['BiasAdd', 'Relu6'], ['BiasAdd', 'Elu'], ['BiasAdd']].map((ops) => ({
    fed: [image],
    constants: [floats(3, 3, 4, 5), floats(5)],
    attributes: { ...window, num_args: number(1), fused_ops: texts(...ops) },
  })),
  _FusedMatMul: ['Relu', 'LeakyRelu', 'Sigmoid'].map((op) => ({
    fed: [floats(4, 3)],
    constants: [floats(op === 'Relu' ? 3 : 5, op === 'Relu' ? 5 : 3), floats(5)],
    attributes: {
      ...{ transpose_a: flag(false), transpose_b: flag(op !== 'Relu'), num_args: number(1) },
      ...{ fused_ops: texts('BiasAdd', op), leakyrelu_alpha: { f: 0.3 } },
    },
  })),
  Add: { fed: [floats(3, 4), floats(4)] },
  AddV2: { fed: [floats(3, 1), floats(3, 4)] },
  AvgPool: [
    {
      fed: [image],
      attributes: { ...nhwc, ksize: list(1, 2, 2, 1), strides: list(1, 2, 2, 1), padding: text('SAME') },
    },
    {
      fed: [image],
      attributes: { ...nhwc, ksize: list(1, 3, 2, 1), strides: list(1, 1, 1, 1), padding: text('VALID') },
    },
  ],
  BatchMatMul: [
    { fed: [floats(2, 3, 4), floats(2, 4, 5)], attributes: { adj_x: flag(false), adj_y: flag(false) } },
    { fed: [floats(2, 3, 4), floats(2, 5, 4)], attributes: { adj_x: flag(false), adj_y: flag(true) } },
  ],
  BatchMatMulV2: {
    fed: [floats(2, 2, 4, 3), floats(2, 2, 4, 5)],
    attributes: { adj_x: flag(true), adj_y: flag(false) },
  },
  BiasAdd: { fed: [floats(2, 3, 4), floats(4)], attributes: nhwc },
  Cast: [
    { fed: [floats(6)], attributes: { DstT: type(3) } },
    { fed: [ints(1, -2, 3)], attributes: { DstT: type(1) } },
    { fed: [bools(1, 0, 1)], attributes: { DstT: type(3) } },
  ],
  ConcatV2: { fed: [floats(2, 3), floats(2, 2)], constants: [int(1)], attributes: { N: number(2) } },
  Conv2D: [
    {
      fed: [image],
      constants: [floats(3, 3, 4, 5)],
      attributes: { ...nhwc, strides: list(1, 2, 2, 1), dilations: list(1, 1, 1, 1), padding: text('SAME') },
    },
    {
      fed: [image],
      constants: [floats(1, 1, 4, 5)],
      attributes: { ...nhwc, strides: list(1, 1, 1, 1), dilations: list(1, 1, 1, 1), padding: text('VALID') },
    },
  ],
  Cos: { fed: [floats(5)] },
  DepthwiseConv2dNative: {
    fed: [image],
    constants: [floats(3, 3, 4, 2)],
    attributes: { ...nhwc, strides: list(1, 1, 1, 1), dilations: list(1, 1, 1, 1), padding: text('SAME') },
  },
  Equal: { fed: [ints(1, 2, 3), ints(1, 5, 3)] },
  Exp: { fed: [floats(5)] },
  ExpandDims: { fed: [floats(2, 3)], constants: [int(1)] },
  FusedBatchNorm: {
    fed: [image, floats(4), floats(4), floats(4), positive(4)],
    attributes: { epsilon: { f: 0.01 }, ...nhwc },
  },
  FusedDepthwiseConv2dNative: {
    fed: [image],
    constants: [floats(3, 3, 4, 1), floats(4)],
    attributes: { ...window, num_args: number(1), fused_ops: texts('BiasAdd', 'Relu6') },
  },
  FusedBatchNormV3: {
    fed: [image, floats(4), floats(4), floats(4), positive(4)],
    attributes: { epsilon: { f: 0.001 }, ...nhwc },
  },
  GatherNd: { fed: [floats(3, 4, 2), { shape: [2, 2], data: [0, 1, 2, 3], dtype: 'int32' }] },
  GatherV2: { fed: [floats(3, 4), ints(3, 0, 1)], constants: [int(1)] },
  Greater: { fed: [floats(6), floats(6)] },
  Identity: { fed: [floats(3)] },
  Less: { fed: [ints(1, 5, 3), ints(2, 2, 3)] },
  Log: { fed: [positive(5)] },
  LogicalAnd: { fed: [bools(1, 1, 0, 0), bools(1, 0, 1, 0)] },
  LogicalNot: { fed: [bools(1, 0)] },
  MatMul: [
    { fed: [floats(3, 4), floats(4, 5)], attributes: { transpose_a: flag(false), transpose_b: flag(false) } },
    { fed: [floats(4, 3), floats(5, 4)], attributes: { transpose_a: flag(true), transpose_b: flag(true) } },
  ],
  Max: { fed: [floats(3, 4)], constants: [int(0)], attributes: { keep_dims: flag(false) } },
  MaxPool: {
    fed: [image],
    attributes: { ...nhwc, ksize: list(1, 3, 3, 1), strides: list(1, 2, 2, 1), padding: text('SAME') },
  },
  Maximum: { fed: [ints(1, 7), ints(4, 2)] },
  Mean: { fed: [floats(3, 4)], constants: [ints(-1)], attributes: { keep_dims: flag(true) } },
  Min: { fed: [floats(3, 4)], constants: [ints(1)], attributes: { keep_dims: flag(false) } },
  Minimum: { fed: [floats(4), floats(4)] },
  Mul: { fed: [floats(3, 4), floats(1, 4)] },
  Neg: { fed: [floats(3)] },
  Pack: { fed: [floats(2, 3), floats(2, 3)], attributes: { axis: number(1), N: number(2) } },
  Prod: { fed: [ints(2, 3, 4)], constants: [ints(0)], attributes: { keep_dims: flag(false) } },
  Range: { fed: [int(1), int(9), int(3)] },
  RealDiv: { fed: [floats(3, 4), positive(4)] },
  Relu: { fed: [floats(6)] },
  Relu6: { fed: [{ shape: [4], data: [-1, 3, 6, 9] }] },
  Reshape: { fed: [floats(3, 4)], constants: [ints(2, -1)] },
  Rsqrt: { fed: [positive(5)] },
  ScatterNd: { fed: [{ shape: [3, 1], data: [0, 2, 2], dtype: 'int32' }, floats(3, 2)], constants: [ints(4, 2)] },
  Shape: { fed: [floats(3, 4)] },
  Sigmoid: { fed: [floats(5)] },
  Sin: { fed: [floats(5)] },
  Slice: { fed: [floats(4, 5)], constants: [ints(1, 0), ints(2, -1)] },
  Softmax: { fed: [floats(3, 4)] },
  SparseToDense: {
    fed: [{ shape: [2, 2], data: [0, 1, 1, 0], dtype: 'int32' }],
    constants: [ints(2, 3), ints(7, 8), int(-1)],
  },
  SplitV: { fed: [floats(2, 6)], constants: [ints(1, 2, 3), int(1)], attributes: { num_split: number(3) }, outputs: 3 },
  Sqrt: { fed: [positive(5)] },
  Square: { fed: [floats(5)] },
  Squeeze: { fed: [floats(2, 1, 3, 1)], attributes: { squeeze_dims: list(1) } },
  StridedSlice: [
    {
      fed: [floats(4, 5)],
      constants: [ints(0, 1), ints(0, 2), ints(1, 1)],
      attributes: { shrink_axis_mask: number(2), begin_mask: number(1), end_mask: number(1) },
    },
    { fed: [floats(6)], constants: [ints(5), ints(0), ints(-2)], attributes: { end_mask: number(1) } },
    { fed: [ints(4, 5, 6)], constants: [ints(-1), ints(0), ints(1)], attributes: { shrink_axis_mask: number(1) } },
  ],
  Sub: { fed: [floats(3, 4), floats(4)] },
  Sum: { fed: [floats(3, 4)], constants: [int(1)], attributes: { keep_dims: flag(false) } },
  Tanh: { fed: [floats(5)] },
  Transpose: { fed: [floats(2, 3, 4)], constants: [ints(2, 0, 1)] },
  Where: { fed: [bools(0, 1, 1, 0)] },
};

const numbers = { float32: 1, int32: 3, bool: 10 };

/** A model of one op, as files. */
function modelOf(
  op: string,
  { fed, constants = [], attributes = {} }: ConvertedCase,
): { json: Record<string, unknown>; bytes: Buffer } {
  const given = (name: string, { shape, dtype = 'float32' }: CaseTensor): Record<string, unknown> => ({
    name,
    op: 'Placeholder',
    attr: { dtype: { type: numbers[dtype] }, shape: { shape: { dim: shape.map((size) => ({ size: String(size) })) } } },
  });
  const names = [...fed.map((_, i) => `in${i}`), ...constants.map((_, i) => `c${i}`)];
  const node = [
    ...fed.map((one, i) => given(`in${i}`, one)),
    ...constants.map((one, i) => ({
      name: `c${i}`,
      op: 'Const',
      attr: { dtype: { type: numbers[one.dtype ?? 'float32'] } },
    })),
    { name: 'out', op, input: names, attr: attributes },
  ];
  const weights = constants.map(({ shape, dtype = 'float32' }, i) => ({ name: `c${i}`, shape, dtype }));
  const bytes = constants.map(({ data, dtype }) =>
    Buffer.from(dtype === 'int32' ? Int32Array.from(data).buffer : Float32Array.from(data).buffer),
  );
  const json = { modelTopology: { node, library: {}, versions: {} }, weightsManifest: [{ paths: ['w'], weights }] };
  return { json, bytes: Buffer.concat(bytes) };
}

const asTensor = ({ shape, data, dtype = 'float32' }: CaseTensor): TensorData => ({
  dtype,
  shape,
  data:
    dtype === 'float32' ? Float32Array.from(data) : dtype === 'bool' ? Uint8Array.from(data) : Int32Array.from(data),
});

describe('each op of a graph model answers as in TensorFlow.js', () => {
  beforeAll(async () => {
    vi.spyOn(console, 'warn').mockReturnValue(); // that a graph without control flow needs no asynchronous run
    await tf.setBackend('cpu');
  });

  const all = Object.entries(cases).flatMap(([op, some]) =>
    [some].flat().map((one, i) => [`${op} ${i}`, op, one] as const),
  );
  it.each(all)('%s', async (_, op, given) => {
    const { json, bytes } = modelOf(op, given);
    const onnx = convertGraph(readGraphModel(json, bytes));
    const session = await createSession(onnx, 1);
    const feeds = Object.fromEntries(given.fed.map((one, i) => [`in${i}`, asTensor(one)]));
    const [[, ours] = []] = Object.entries(await session.run(feeds));
    await session.release();
    const model = await loadGraphModel({
      load: async () => ({
        modelTopology: json['modelTopology'] as object,
        weightSpecs: (json['weightsManifest'] as { weights: tf.io.WeightsManifestEntry[] }[])[0]!.weights,
        weightData: new Uint8Array(bytes).buffer,
      }),
    });
    const inputs = Object.fromEntries(
      given.fed.map(({ shape, data, dtype = 'float32' }, i) => [`in${i}`, tf.tensor(data, shape, dtype)]),
    );
    const theirs = (await model.executeAsync(inputs, 'out')) as tf.Tensor;
    expect(ours?.shape).toEqual(theirs.shape);
    const expected = Array.from(await theirs.data(), Number);
    const found = Array.from(ours?.data ?? [], Number);
    for (const [i, value] of found.entries()) expect(Math.abs(value - (expected[i] as number))).toBeLessThan(1e-4);
  });

  it('covers all ops that can be converted', async () => {
    const { graphOps } = await import('../../../src/encoders/tfjs/graph-ops.ts');
    expect(Object.keys(cases).sort()).toEqual(Object.keys(graphOps).sort());
  });
});

describe('files that are no models', () => {
  const { json, bytes } = modelOf('Add', { fed: [floats(2)], constants: [floats(2)] });
  const fails = (given: unknown, weights: Uint8Array = bytes) =>
    expect(() => convertGraph(readGraphModel(given, weights)));

  it('are refused with what is wrong', () => {
    fails({}).toThrow(/no TensorFlow.js model/);
    fails([]).toThrow(/no TensorFlow.js model/);
    fails(json, bytes.subarray(4)).toThrow(/no TensorFlow.js model/);
    fails(json, Buffer.concat([bytes, bytes])).toThrow(/no TensorFlow.js model/);
    fails(modelOf('Unheard', { fed: [floats(2)] }).json, Buffer.alloc(0)).toThrow(/ops that cannot be converted/);
    const topology = {
      node: [
        { name: 'a', op: 'Neg', input: ['b'] },
        { name: 'b', op: 'Neg', input: ['a'] },
      ],
      library: {},
    };
    fails({ modelTopology: topology, weightsManifest: [] }, Buffer.alloc(0)).toThrow(/no TensorFlow.js model/);
    const loops = { ...(json['modelTopology'] as object), library: { function: [{}] } };
    fails({ ...json, modelTopology: loops }).toThrow(/functions/);
  });

  it('name no files but those beside them', () => {
    for (const path of ['../secret', '/etc/passwd', '.hidden', 'a/b', 7])
      expect(() => weightFiles({ weightsManifest: [{ paths: [path], weights: [] }] })).toThrow(
        /no TensorFlow.js model/,
      );
  });

  it('may have weights in fewer bits', () => {
    const weights = [
      { name: 'c0', shape: [2], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.5, min: -1 } },
    ];
    const { weights: read } = readGraphModel(
      { ...json, weightsManifest: [{ paths: ['w'], weights }] },
      Buffer.from([0, 6]),
    );
    expect(Array.from(read.get('c0')?.data ?? [])).toEqual([-1, 2]);
    const half = [{ name: 'c0', shape: [2], dtype: 'float32', quantization: { dtype: 'float16' } }];
    const { weights: halves } = readGraphModel(
      { ...json, weightsManifest: [{ paths: ['w'], weights: half }] },
      Buffer.from([0, 0x3c, 0, 0xc0]),
    );
    expect(Array.from(halves.get('c0')?.data ?? [])).toEqual([1, -2]);
  });
});
