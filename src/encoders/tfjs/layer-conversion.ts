import { NotSupported } from '../../errors/errors.ts';
import { fromChannelsFirst, type ImageWindow, toChannelsFirst } from './images.ts';
import type { TfjsLayer } from './layers-json.ts';
import { malformed, type TfjsWeight } from './model-json.ts';
import { OnnxWriter } from './onnx-writer.ts';

/** An answer of a layer. Images keep their channels first between layers, so that none is transposed. */
export interface LayerValue {
  name: string;
  /** Axes, that of rows included. */
  rank: number;
  isChannelsFirst: boolean;
}

/** Writes the ONNX nodes of a layer that reads at least one value. */
export type LayerConverter = (
  c: LayerConversion,
  layer: TfjsLayer,
  inputs: readonly [LayerValue, ...LayerValue[]],
) => LayerValue;

/** A layers model on its way to ONNX: the layers read their settings and weights, and write their nodes through it. */
export class LayerConversion {
  readonly write = new OnnxWriter();
  readonly #weights: ReadonlyMap<string, TfjsWeight>;

  constructor(weights: ReadonlyMap<string, TfjsWeight>) {
    this.#weights = weights;
  }

  /** An input of the model, as its layer gives the shape. */
  input({ name, config }: TfjsLayer, as: string, channelsFirst: boolean): LayerValue {
    const shape = config['batch_input_shape'];
    if (!Array.isArray(shape) || shape.length < 2) throw malformed(`the input "${name}" has no shape`);
    const sizes = shape.map((size, axis) => (typeof size === 'number' ? size : `${as}_${axis}`));
    if (!channelsFirst || sizes.length !== 4)
      return { name: this.write.input(as, sizes, 'float'), rank: sizes.length, isChannelsFirst: false };
    const given = this.write.input(as, [sizes[0] as string, sizes[3] as number, 'height', 'width'], 'float');
    return { name: given, rank: 4, isChannelsFirst: true };
  }

  /** An image, [N, C, H, W]. */
  image({ name, rank, isChannelsFirst }: LayerValue, layer: TfjsLayer): string {
    if (rank !== 4) throw this.unsupported(layer, `with ${rank} axes`);
    const format = layer.config['data_format'];
    if (format !== undefined && format !== null && format !== 'channels_last')
      throw this.unsupported(layer, 'with channels first');
    return isChannelsFirst ? name : toChannelsFirst(this.write, name);
  }

  /** A value as TensorFlow has it. */
  channelsLast({ name, isChannelsFirst }: LayerValue): string {
    return isChannelsFirst ? fromChannelsFirst(this.write, name) : name;
  }

  /** A vector of each row, [N, C]: of an image the mean over its pixels. */
  vector(value: LayerValue, layer: TfjsLayer): string {
    if (value.rank === 2) return value.name;
    const axes = this.write.ints([2, 3]);
    return this.write.node('ReduceMean', [this.image(value, layer), axes], { attributes: { keepdims: 0 } });
  }

  weight({ name }: TfjsLayer, which: string): TfjsWeight {
    const weight = this.#weights.get(`${name}/${which}`);
    if (weight === undefined) throw malformed(`layer "${name}" has no weights "${which}"`);
    return weight;
  }

  /** A weight as a constant of the graph, in another shape of as many numbers if one is given. */
  constant(layer: TfjsLayer, which: string, shape?: readonly number[]): string {
    const weight = this.weight(layer, which);
    return this.write.constant(weight.data, shape ?? weight.shape, 'float');
  }

  number({ config, name }: TfjsLayer, setting: string, otherwise?: number): number {
    const value = config[setting] ?? otherwise;
    if (typeof value === 'number') return value;
    throw malformed(`the setting ${setting} of layer "${name}" is no number`);
  }

  /** Two numbers, or one for both. */
  pair({ config, name }: TfjsLayer, setting: string, otherwise?: number): [number, number] {
    const value = config[setting] ?? otherwise;
    if (typeof value === 'number') return [value, value];
    if (Array.isArray(value) && value.length === 2 && value.every((each) => typeof each === 'number'))
      return value as [number, number];
    throw malformed(`the setting ${setting} of layer "${name}" is no pair of numbers`);
  }

  window(layer: TfjsLayer): ImageWindow {
    const padding = layer.config['padding'] ?? 'valid';
    if (padding !== 'same' && padding !== 'valid') throw this.unsupported(layer, `with the padding ${String(padding)}`);
    return {
      strides: this.pair(layer, 'strides', 1),
      dilations: this.pair(layer, 'dilation_rate', 1),
      padding,
    };
  }

  /** What a layer does to its answer, by the name in its settings. Softmax is over channels, wherever they are. */
  activated(value: LayerValue, layer: TfjsLayer): LayerValue {
    const activation = String(layer.config['activation'] ?? 'linear').replaceAll('_', '');
    const node = (op: string, inputs: readonly string[], attributes = {}): string =>
      this.write.node(op, inputs, { attributes });
    const { name, isChannelsFirst } = value;
    const [zero, six] = [this.write.float(0), this.write.float(6)];
    const activations: Readonly<Record<string, () => string>> = {
      linear: () => name,
      relu: () => node('Relu', [name]),
      relu6: () => node('Clip', [name, zero, six]),
      sigmoid: () => node('Sigmoid', [name]),
      hardsigmoid: () => node('HardSigmoid', [name], { alpha: { float: 0.2 }, beta: { float: 0.5 } }),
      tanh: () => node('Tanh', [name]),
      elu: () => node('Elu', [name]),
      selu: () => node('Selu', [name]),
      softplus: () => node('Softplus', [name]),
      softsign: () => node('Softsign', [name]),
      swish: () => node('Mul', [name, node('Sigmoid', [name])]),
      softmax: () => node('Softmax', [name], { axis: isChannelsFirst ? 1 : -1 }),
    };
    const write = Object.hasOwn(activations, activation) ? activations[activation] : undefined;
    if (write === undefined) throw this.unsupported(layer, `with the activation ${activation}`);
    return { ...value, name: write() };
  }

  unsupported({ kind, name }: TfjsLayer, how: string): NotSupported {
    return new NotSupported(`the layer ${kind} ${how} cannot be converted to ONNX`, {
      detail: `It is layer "${name}" of the TensorFlow.js model.`,
      hint: 'Export the model to ONNX with the tool of the library that it comes from.',
    });
  }
}
