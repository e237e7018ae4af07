import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { convertLayers, type LayersCut } from '../../../src/encoders/tfjs/convert-layers.ts';
import { readLayersModel } from '../../../src/encoders/tfjs/layers-json.ts';
import { createSession } from '../../../src/engine/session.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { stored } from './stored-layers.ts';

type Symbolic = layers.SymbolicTensor;
type AnyLayer = layers.LayersModel['layers'][number];

const l = layers.layers;
const rng = createRng(11);
const floats = (size: number): Float32Array => Float32Array.from({ length: size }, () => rng.normal());
const imageShape = [7, 6, 4];
const applied = (layer: AnyLayer, to: Symbolic | Symbolic[]): Symbolic => layer.apply(to) as Symbolic;
const ofImage = (layer: AnyLayer, shape = imageShape): layers.LayersModel => {
  const input = layers.input({ shape });
  return layers.model({ inputs: input, outputs: applied(layer, input) });
};
const ofVector = (layer: AnyLayer): layers.LayersModel => ofImage(layer, [5]);
/** Of an image and its convolution, the second channels first, so that both layouts meet. */
const merged = (layer: AnyLayer): layers.LayersModel => {
  const input = layers.input({ shape: imageShape });
  return layers.model({
    inputs: input,
    outputs: applied(layer, [input, applied(l.conv2d({ filters: 4, kernelSize: 1 }), input)]),
  });
};

/** Each kind of layer, with the settings that change what it does. */
const cases: Record<string, () => layers.LayersModel | layers.LayersModel[]> = {
  Activation: () =>
    (
      [
        'elu',
        'hardSigmoid',
        'linear',
        'relu',
        'relu6',
        'selu',
        'sigmoid',
        'softmax',
        'softplus',
        'softsign',
        'tanh',
        'swish',
      ] as const
    ).map((activation) => ofImage(l.activation({ activation }))),
  Add: () => merged(l.add()),
  Average: () => merged(l.average()),
  AveragePooling2D: () => [
    ofImage(l.averagePooling2d({ poolSize: 2, padding: 'same' })),
    ofImage(l.averagePooling2d({ poolSize: [3, 2], strides: 1 })),
  ],
  BatchNormalization: () => [
    ofImage(l.batchNormalization({ epsilon: 0.01 })),
    ofImage(l.batchNormalization({ scale: false, center: false, axis: 3 })),
    ofVector(l.batchNormalization()),
  ],
  Concatenate: () => [merged(l.concatenate()), merged(l.concatenate({ axis: 1 }))],
  Conv2D: () => [
    ofImage(l.conv2d({ filters: 5, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' })),
    ofImage(l.conv2d({ filters: 3, kernelSize: [2, 3], useBias: false, dilationRate: 2 })),
    ofImage(l.conv2d({ filters: 3, kernelSize: 1, activation: 'softmax' })),
  ],
  Cropping2D: () => [
    ofImage(
      l.cropping2D({
        cropping: [
          [1, 2],
          [0, 3],
        ],
      }),
    ),
    ofImage(
      l.cropping2D({
        cropping: [
          [0, 1],
          [1, 0],
        ],
      }),
    ),
  ],
  Dense: () => [ofVector(l.dense({ units: 3, activation: 'softmax' })), ofImage(l.dense({ units: 3, useBias: false }))],
  DepthwiseConv2D: () =>
    ofImage(l.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, padding: 'same', activation: 'tanh' })),
  Dropout: () => ofVector(l.dropout({ rate: 0.5 })),
  ELU: () => ofImage(l.elu()),
  Flatten: () => {
    const input = layers.input({ shape: imageShape });
    const x = applied(l.conv2d({ filters: 2, kernelSize: 2 }), input);
    return layers.model({ inputs: input, outputs: applied(l.flatten(), x) });
  },
  GaussianDropout: () => ofVector(l.gaussianDropout({ rate: 0.5 })),
  GaussianNoise: () => ofVector(l.gaussianNoise({ stddev: 1 })),
  GlobalAveragePooling2D: () => ofImage(l.globalAveragePooling2d({})),
  GlobalMaxPooling2D: () => ofImage(l.globalMaxPooling2d({})),
  LeakyReLU: () => ofImage(l.leakyReLU({ alpha: 0.2 })),
  MaxPooling2D: () => ofImage(l.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' })),
  Maximum: () => merged(l.maximum()),
  Multiply: () => merged(l.multiply()),
  ReLU: () => [ofImage(l.reLU()), ofImage(l.reLU({ maxValue: 0.6 }))],
  Rescaling: () => ofImage(l.rescaling({ scale: 0.5, offset: -1 })),
  Reshape: () => ofImage(l.reshape({ targetShape: [6, -1] })),
  SeparableConv2D: () => ofImage(l.separableConv2d({ filters: 5, kernelSize: 3, strides: 2, depthMultiplier: 2 })),
  Softmax: () => {
    const input = layers.input({ shape: imageShape });
    const x = applied(l.conv2d({ filters: 2, kernelSize: 2 }), input);
    return [
      ofVector(l.softmax({ axis: -1 })),
      layers.model({ inputs: input, outputs: applied(l.softmax({ axis: -1 }), x) }),
    ];
  },
  UpSampling2D: () => ofImage(l.upSampling2d({ size: [2, 3] })),
  ZeroPadding2D: () => [
    ofImage(
      l.zeroPadding2d({
        padding: [
          [0, 1],
          [2, 1],
        ],
      }),
    ),
    ofImage(l.zeroPadding2d({ padding: 2 })),
  ],
};

async function answersOf(onnx: Uint8Array, feeds: Record<string, { shape: number[]; data: Float32Array }>) {
  const session = await createSession(onnx, 1);
  const given = Object.entries(feeds).map(([name, one]) => [name, { dtype: 'float32' as const, ...one }]);
  const answers = await session.run(Object.fromEntries(given));
  await session.release();
  return Object.values(answers);
}

const compare = async (model: layers.LayersModel, cut?: LayersCut): Promise<void> => {
  const { json, bytes } = await stored(model);
  const onnx = convertLayers(readLayersModel(JSON.parse(JSON.stringify(json)), bytes), cut);
  const shapes = model.inputs.map(({ shape }) => shape.map((size) => size ?? 3));
  const fed = shapes.map((shape) => ({ shape, data: floats(shape.reduce((a, b) => a * b, 1)) }));
  const [ours] = await answersOf(onnx, Object.fromEntries(fed.map((one, i) => [`input${i}`, one])));
  const theirs = model.predict(fed.map(({ shape, data }) => tf.tensor(data, shape))) as tf.Tensor;
  expect(ours?.shape).toEqual(theirs.shape);
  const expected = await theirs.data();
  for (const [i, value] of Array.from(ours?.data ?? [], Number).entries())
    expect(Math.abs(value - Number(expected[i]))).toBeLessThan(1e-4);
};

beforeAll(() => tf.setBackend('cpu'));

describe('each kind of layer answers as in TensorFlow.js', () => {
  it.each(Object.keys(cases))('%s', async (kind) => {
    for (const model of [cases[kind]?.() ?? []].flat()) await compare(model);
  });

  it('covers all layers that can be converted', async () => {
    const { layerKinds } = await import('../../../src/encoders/tfjs/layers.ts');
    expect(Object.keys(cases).sort()).toEqual(Object.keys(layerKinds).sort());
  });
});

describe('a model of several layers', () => {
  it('may be a sequence, with models in it, and layers that are used twice', async () => {
    const inner = layers.sequential({
      layers: [l.conv2d({ filters: 4, kernelSize: 3, padding: 'same', inputShape: imageShape }), l.reLU()],
    });
    const twice = layers.input({ shape: imageShape });
    const shared = layers.model({ inputs: twice, outputs: applied(l.add(), [applied(inner, twice), twice]) });
    await compare(
      layers.sequential({
        layers: [
          l.zeroPadding2d({ inputShape: [5, 4, 4] }),
          shared,
          l.globalAveragePooling2d({}),
          l.dense({ units: 2 }),
        ],
      }),
    );
    const input = layers.input({ shape: imageShape });
    const conv = l.conv2d({ filters: 4, kernelSize: 1 });
    await compare(layers.model({ inputs: input, outputs: applied(conv, applied(conv, input)) }));
  });

  it('is cut after a layer, averaged over pixels, and fed with channels first', async () => {
    const model = layers.sequential({
      layers: [
        l.conv2d({ filters: 3, kernelSize: 3, strides: 2, inputShape: [8, 8, 3] }),
        l.reLU({ name: 'here' }),
        l.flatten(),
        l.dense({ units: 2 }),
      ],
    });
    const { json, bytes } = await stored(model);
    const cut = { vectorsOf: ['here', 'here'] };
    const onnx = convertLayers(readLayersModel(JSON.parse(JSON.stringify(json)), bytes), cut);
    const data = floats(2 * 10 * 9 * 3); // another size than the model's
    const x = tf.tensor(data, [2, 10, 9, 3]);
    const [ours] = await answersOf(onnx, {
      input0: { shape: [2, 3, 10, 9], data: (await x.transpose([0, 3, 1, 2]).data()) as Float32Array },
    });
    const conv = model.layers[0]?.apply(x) as tf.Tensor;
    const means = conv.relu().mean([1, 2]);
    const expected = await tf.concat([means, means], 1).data();
    expect(ours?.shape).toEqual([2, 6]);
    for (const [i, value] of Array.from(ours?.data ?? [], Number).entries())
      expect(Math.abs(value - Number(expected[i]))).toBeLessThan(1e-4);
  });
});

it('says what cannot be converted, and what is no model', async () => {
  const { json, bytes } = await stored(ofImage(l.upSampling2d({ interpolation: 'bilinear' })));
  const refuses = (given: unknown, cut?: LayersCut) => expect(() => convertLayers(readLayersModel(given, bytes), cut));
  refuses(json).toThrow(/UpSampling2D with the interpolation bilinear/);
  refuses(json, { vectorsOf: ['nowhere'] }).toThrow(/no TensorFlow.js model/);
  refuses({ ...json, modelTopology: { node: [] } }).toThrow(/no TensorFlow.js model/);
  refuses({ ...json, modelTopology: { class_name: 'Sequential', config: { layers: [] } } }).toThrow(
    /no TensorFlow.js model/,
  );
  const lstm = await stored(layers.sequential({ layers: [l.lstm({ units: 2, inputShape: [3, 2] })] }));
  expect(() => convertLayers(readLayersModel(lstm.json, lstm.bytes))).toThrow(/layer LSTM cannot be converted/);
  const one = {
    layers: [
      { class_name: 'ReLU', name: 'a', config: {}, inbound_nodes: [[['b', 0, 0, {}]]] },
      { class_name: 'ReLU', name: 'b', config: {}, inbound_nodes: [[['a', 0, 0, {}]]] },
    ],
  };
  const circle = { ...one, input_layers: [], output_layers: [['a', 0, 0]] };
  refuses({ modelTopology: { class_name: 'Model', config: circle }, weightsManifest: [] }).toThrow(
    /no TensorFlow.js model/,
  );
});
