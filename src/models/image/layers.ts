import type { PixelState } from '../../features/pixels.ts';
import * as emit from '../../graph/emit.ts';
import type { Shape, Value } from '../../graph/graph.ts';
import type { Network, ParameterSpec, Values } from '../../graph/network.ts';
import { batchNorm } from '../../graph/ops/batch-norm.ts';
import { conv2d } from '../../graph/ops/convolution/conv2d.ts';
import { globalAveragePool, maxPool } from '../../graph/ops/convolution/pooling.ts';
import { dropout } from '../../graph/ops/dropout.ts';
import { dense } from '../../graph/ops/matmul.ts';
import type { Tape } from '../../graph/tape.ts';
import { type Answers, answering, answerWidth } from '../answering.ts';
import { imageInput, readImages, withMirrors } from './input.ts';

type Parameters = Readonly<Record<string, ParameterSpec>>;

/** A convolution without bias, padded to keep the size. Its name is the prefix of its parameters. */
export interface ConvLayer {
  name: string;
  from: number;
  to: number;
  size?: number;
  stride?: number;
  groups?: number;
  /**
   * Side of the windows of max pooling before the norm. Norm and ReLU preserve the order, so the result equals pooling after them,
   * but they process fewer numbers.
   */
  pool?: number;
}

/** Kernels initialised as by He et al. 2015: deviation √(2 / inputs of one result). */
export function kernelParameters({ name, from, to, size = 3, groups = 1 }: ConvLayer): Parameters {
  const deviation = Math.sqrt((2 * groups) / (from * size * size));
  return { [`${name}.w`]: { shape: [to, from / groups, size, size], init: { kind: 'normal', deviation } } };
}

export const normParameters = (name: string, channels: number): Parameters => ({
  [`${name}.gamma`]: { shape: [channels], init: { kind: 'ones' } },
  [`${name}.beta`]: { shape: [channels], init: { kind: 'zeros' } },
  [`${name}.mean`]: { shape: [channels], init: { kind: 'zeros' }, buffer: true },
  [`${name}.variance`]: { shape: [channels], init: { kind: 'ones' }, buffer: true },
});

/** A convolution with batch norm after it. */
export const convParameters = (layer: ConvLayer): Parameters => ({
  ...kernelParameters(layer),
  ...normParameters(layer.name, layer.to),
});

export function conv(t: Tape, x: Value, { layer, parameters }: { layer: ConvLayer; parameters: Values }): Value {
  const { name, size = 3, stride = 1, groups = 1, pool = 1 } = layer;
  const y = conv2d(t, x, parameters.of(`${name}.w`), { pad: (size - 1) / 2, stride, groups });
  return pool === 1 ? y : maxPool(t, y, { size: pool });
}

export interface NormOptions {
  name: string;
  parameters: Values;
  residual?: Value;
  relu?: boolean;
}

/** relu(bn(x) + residual). */
export function norm(t: Tape, x: Value, { name, parameters, residual, relu = true }: NormOptions): Value {
  const of = (part: string): Value => parameters.of(`${name}.${part}`);
  const parts = { gamma: of('gamma'), beta: of('beta'), mean: of('mean'), variance: of('variance') };
  return batchNorm(t, x, parts, { relu, ...(residual === undefined ? {} : { residual }) });
}

export interface ConvNormOptions extends Omit<NormOptions, 'name'> {
  layer: ConvLayer;
}

/** relu(bn(conv(x)) + residual). */
export const convNorm = (t: Tape, x: Value, options: ConvNormOptions): Value =>
  norm(t, conv(t, x, options), { name: options.layer.name, ...options });

export function headParameters(features: number, classes: number): Parameters {
  return {
    'out.w': { shape: [features, classes], init: { kind: 'normal', deviation: 1 / Math.sqrt(features) } },
    'out.b': { shape: [classes], init: { kind: 'zeros' } },
  };
}

/** Mean over the pixels, dropout, one linear layer. */
export function head(t: Tape, x: Value, { parameters, ratio }: { parameters: Values; ratio: Value }): Value {
  return dense(t, dropout(t, globalAveragePool(t, x), ratio), parameters.of('out.w'), parameters.of('out.b'));
}

/** Inputs and answers of an image network. */
export interface ImageTask extends Answers {
  image: PixelState;
  /** Whether an answer is the mean of those for the image and its mirror image. */
  mirrored?: boolean;
}

export interface ImageBody {
  parameters: Parameters;
  /** Channels of the last stage. */
  features: number;
  /** From [N, C, H, W] to the last stage's features [N, features, H', W']. */
  stages(t: Tape, x: Value, parameters: Values): Value;
}

export function imageClassifier(
  { image, mirrored = false, ...answers }: ImageTask,
  { parameters, features, stages }: ImageBody,
): Network {
  const width = answerWidth(answers);
  return answering(answers, {
    inputs: imageInput(image.side),
    parameters: { ...parameters, ...headParameters(features, width) },
    logits: (t, inputs, values, ratio) => {
      const both = mirrored && !t.training;
      const x = readImages(t, both ? withMirrors(t, inputs) : inputs, image);
      const logits = head(t, stages(t, x, values), { parameters: values, ratio });
      return both ? meanOfHalves(t, logits, [emit.dimOf(inputs.of('image'), 0), width]) : logits;
    },
  });
}

/** [2N, classes] → [N, classes] */
function meanOfHalves({ graph: g }: Tape, logits: Value, shape: Shape): Value {
  return emit.reshape(g, emit.reduce(g, 'ReduceMean', emit.reshape(g, logits, [2, ...shape]), [0]), shape);
}
