import { convolve, pool } from './images.ts';
import type { LayerConversion, LayerConverter, LayerValue } from './layer-conversion.ts';
import type { TfjsLayer } from './layers-json.ts';

const image = (name: string): LayerValue => ({ name, rank: 4, isChannelsFirst: true });
const same: LayerConverter = (_, __, [value]) => value;

/** The bias of a convolution, for [N, C, H, W]. */
const biased = (c: LayerConversion, layer: TfjsLayer, x: string): LayerValue => {
  if (layer.config['use_bias'] === false) return image(x);
  const size = c.weight(layer, 'bias').data.length;
  return image(c.write.node('Add', [x, c.constant(layer, 'bias', [1, size, 1, 1])]));
};

const conv2d: LayerConverter = (c, layer, [value]) => {
  if (c.number(layer, 'groups', 1) !== 1) throw c.unsupported(layer, 'with groups');
  const kernel = c.weight(layer, 'kernel');
  const x = convolve(c.write, c.image(value, layer), kernel, { ...c.window(layer), depthwise: false });
  return c.activated(biased(c, layer, x), layer);
};

const depthwiseConv2d: LayerConverter = (c, layer, [value]) => {
  const kernel = c.weight(layer, 'depthwise_kernel');
  const x = convolve(c.write, c.image(value, layer), kernel, { ...c.window(layer), depthwise: true });
  return c.activated(biased(c, layer, x), layer);
};

const separableConv2d: LayerConverter = (c, layer, [value]) => {
  const [depth, point] = [c.weight(layer, 'depthwise_kernel'), c.weight(layer, 'pointwise_kernel')];
  const x = convolve(c.write, c.image(value, layer), depth, { ...c.window(layer), depthwise: true });
  const single = { strides: [1, 1], dilations: [1, 1], padding: 'valid', depthwise: false } as const;
  return c.activated(biased(c, layer, convolve(c.write, x, point, single)), layer);
};

const pooling =
  (op: 'MaxPool' | 'AveragePool'): LayerConverter =>
  (c, layer, [value]) => {
    const size = c.pair(layer, 'pool_size', 2);
    const { padding } = c.window(layer);
    const strides = layer.config['strides'] == null ? size : c.pair(layer, 'strides');
    const window = { strides, dilations: [1, 1] as const, padding, size };
    return image(pool(c.write, op, c.image(value, layer), window));
  };

const globalPooling =
  (op: 'ReduceMax' | 'ReduceMean'): LayerConverter =>
  (c, layer, [value]) => {
    if (layer.config['keepdims'] === true) throw c.unsupported(layer, 'that keeps its axes');
    const axes = c.write.ints([2, 3]);
    const name = c.write.node(op, [c.image(value, layer), axes], { attributes: { keepdims: 0 } });
    return { name, rank: 2, isChannelsFirst: false };
  };

/** γ (x − μ) / √(σ² + ε) + β over channels. */
const batchNorm: LayerConverter = (c, layer, [value]) => {
  const [axis] = [layer.config['axis'] ?? -1].flat();
  if (axis !== -1 && axis !== value.rank - 1) throw c.unsupported(layer, `over the axis ${String(axis)}`);
  if (value.rank !== 4 && value.rank !== 2) throw c.unsupported(layer, `with ${value.rank} axes`);
  const size = c.weight(layer, 'moving_mean').data.length;
  const filled = (name: string): string =>
    c.write.constant(new Float32Array(size).fill(name === 'gamma' ? 1 : 0), [size], 'float');
  const scale = layer.config['scale'] === false ? filled('gamma') : c.constant(layer, 'gamma');
  const offset = layer.config['center'] === false ? filled('beta') : c.constant(layer, 'beta');
  const moments = [c.constant(layer, 'moving_mean'), c.constant(layer, 'moving_variance')];
  const x = value.rank === 4 ? c.image(value, { ...layer, config: {} }) : value.name;
  const attributes = { epsilon: { float: c.number(layer, 'epsilon', 1e-3) } };
  const name = c.write.node('BatchNormalization', [x, scale, offset, ...moments], { attributes });
  return value.rank === 4 ? image(name) : { ...value, name };
};

const dense: LayerConverter = (c, layer, [value]) => {
  const product = c.write.node('MatMul', [c.channelsLast(value), c.constant(layer, 'kernel')]);
  const name = layer.config['use_bias'] === false ? product : c.write.node('Add', [product, c.constant(layer, 'bias')]);
  return c.activated({ name, rank: value.rank, isChannelsFirst: false }, layer);
};

/** Of values of one shape, or that are broadcast: all channels first, or none. */
function alike(c: LayerConversion, layer: TfjsLayer, values: readonly LayerValue[]): LayerValue[] {
  const [first] = values;
  if (values.some(({ rank }) => rank !== first?.rank)) throw c.unsupported(layer, 'of values with different axes');
  if (values.every(({ isChannelsFirst }) => !isChannelsFirst)) return [...values];
  return values.map((value) => image(c.image(value, layer)));
}

const merging =
  (op: string): LayerConverter =>
  (c, layer, values) => {
    const [first, ...others] = alike(c, layer, values) as [LayerValue, ...LayerValue[]];
    return { ...first, name: others.reduce((sum, { name }) => c.write.node(op, [sum, name]), first.name) };
  };

const average: LayerConverter = (c, layer, values) => {
  const sum = merging('Add')(c, layer, values);
  return { ...sum, name: c.write.node('Div', [sum.name, c.write.float(values.length)]) };
};

const concatenate: LayerConverter = (c, layer, values) => {
  const [first, ...others] = alike(c, layer, values) as [LayerValue, ...LayerValue[]];
  const { rank, isChannelsFirst } = first;
  const given = c.number(layer, 'axis', -1);
  const last = given < 0 ? given + rank : given;
  const axis = isChannelsFirst ? ([0, 2, 3, 1][last] as number) : last;
  const names = [first, ...others].map(({ name }) => name);
  return { ...first, name: c.write.node('Concat', names, { attributes: { axis } }) };
};

/** max(x, 0), at most `max_value`. */
const relu: LayerConverter = (c, layer, [value]) => {
  if (c.number(layer, 'negative_slope', 0) !== 0 || c.number(layer, 'threshold', 0) !== 0)
    throw c.unsupported(layer, 'with a slope or a threshold');
  const most = layer.config['max_value'];
  const bounds = [c.write.float(0), c.write.float(Number(most))];
  const name =
    most === undefined || most === null
      ? c.write.node('Relu', [value.name])
      : c.write.node('Clip', [value.name, ...bounds]);
  return { ...value, name };
};

const leaky =
  (op: 'LeakyRelu' | 'Elu', otherwise: number): LayerConverter =>
  (c, layer, [value]) => ({
    ...value,
    name: c.write.node(op, [value.name], { attributes: { alpha: { float: c.number(layer, 'alpha', otherwise) } } }),
  });

const softmax: LayerConverter = (c, layer, [value]) => {
  const axis = c.number(layer, 'axis', -1);
  const name = c.write.node('Softmax', [c.channelsLast(value)], { attributes: { axis } });
  return { ...value, name, isChannelsFirst: false };
};

/** Numbers around an image: [[top, bottom], [left, right]], [rows, columns], or one. */
function frameOf(c: LayerConversion, layer: TfjsLayer, setting: string): [number, number, number, number] {
  const given = layer.config[setting];
  if (Array.isArray(given) && given.some(Array.isArray)) {
    const [rows, columns] = given.map((side) => c.pair({ ...layer, config: { side } }, 'side'));
    if (rows !== undefined && columns !== undefined) return [rows[0], columns[0], rows[1], columns[1]];
  }
  const [rows, columns] = c.pair(layer, setting, 1);
  return [rows, columns, rows, columns];
}

const zeroPadding: LayerConverter = (c, layer, [value]) => {
  const [top, left, bottom, right] = frameOf(c, layer, 'padding');
  const pads = c.write.ints([0, 0, top, left, 0, 0, bottom, right]);
  return image(c.write.node('Pad', [c.image(value, layer), pads]));
};

const cropping: LayerConverter = (c, layer, [value]) => {
  const [top, left, bottom, right] = frameOf(c, layer, 'cropping');
  const far = 2 ** 31 - 1; // to the end, whatever the size
  const bounds = [
    [top, left],
    [bottom === 0 ? far : -bottom, right === 0 ? far : -right],
    [2, 3],
  ];
  return image(c.write.node('Slice', [c.image(value, layer), ...bounds.map((each) => c.write.ints(each))]));
};

const upSampling: LayerConverter = (c, layer, [value]) => {
  const mode = layer.config['interpolation'] ?? 'nearest';
  if (mode !== 'nearest') throw c.unsupported(layer, `with the interpolation ${String(mode)}`);
  const [rows, columns] = c.pair(layer, 'size', 2);
  const scales = c.write.constant(Float32Array.of(1, 1, rows, columns), [4], 'float');
  const attributes = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
  return image(c.write.node('Resize', [c.image(value, layer), '', scales], { attributes }));
};

/** In TensorFlow's order of axes. */
const reshapedTo = (c: LayerConversion, value: LayerValue, shape: readonly number[]): LayerValue => ({
  name: c.write.node('Reshape', [c.channelsLast(value), c.write.ints([0, ...shape])]),
  rank: shape.length + 1,
  isChannelsFirst: false,
});

const reshape: LayerConverter = (c, layer, [value]) => {
  const shape = layer.config['target_shape'];
  const sizes = Array.isArray(shape) ? shape.map((size) => size ?? -1) : [];
  if (sizes.length === 0 || !sizes.every(Number.isInteger)) throw c.unsupported(layer, 'without a shape');
  return reshapedTo(c, value, sizes);
};

const rescaling: LayerConverter = (c, layer, [value]) => {
  const [scale, offset] = [c.number(layer, 'scale'), c.number(layer, 'offset', 0)].map((x) => c.write.float(x));
  const scaled = c.write.node('Mul', [value.name, scale as string]);
  return { ...value, name: c.write.node('Add', [scaled, offset as string]) };
};

/** Layers of image networks and of heads, by their class in Keras. */
export const layerKinds: Readonly<Record<string, LayerConverter>> = {
  Activation: (c, layer, [value]) => c.activated(value, layer),
  Add: merging('Add'),
  Average: average,
  AveragePooling2D: pooling('AveragePool'),
  BatchNormalization: batchNorm,
  Concatenate: concatenate,
  Conv2D: conv2d,
  Cropping2D: cropping,
  Dense: dense,
  DepthwiseConv2D: depthwiseConv2d,
  Dropout: same,
  ELU: leaky('Elu', 1),
  Flatten: (c, _, [value]) => reshapedTo(c, value, [-1]),
  GaussianDropout: same,
  GaussianNoise: same,
  GlobalAveragePooling2D: globalPooling('ReduceMean'),
  GlobalMaxPooling2D: globalPooling('ReduceMax'),
  LeakyReLU: leaky('LeakyRelu', 0.3),
  MaxPooling2D: pooling('MaxPool'),
  Maximum: merging('Max'),
  Multiply: merging('Mul'),
  ReLU: relu,
  Rescaling: rescaling,
  Reshape: reshape,
  SeparableConv2D: separableConv2d,
  Softmax: softmax,
  UpSampling2D: upSampling,
  ZeroPadding2D: zeroPadding,
};
