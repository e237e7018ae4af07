import type { Value } from '../graph/graph.ts';
import type { InputSpec, ParameterSpec, Values } from '../graph/network.ts';
import { batchNorm } from '../graph/ops/batch-norm.ts';
import { conv2d } from '../graph/ops/conv2d.ts';
import { dropout } from '../graph/ops/dropout.ts';
import { dense } from '../graph/ops/matmul.ts';
import { globalAveragePool } from '../graph/ops/pooling.ts';
import type { Tape } from '../graph/tape.ts';

/** A convolution without bias, padded to keep the size, then batch norm. Its name is the prefix of its parameters. */
export interface ConvLayer {
  name: string;
  from: number;
  to: number;
  size?: number;
  stride?: number;
  groups?: number;
}

/** Kernels by He et al. 2015: deviation √(2 / inputs of one result). */
export function convParameters({ name, from, to, size = 3, groups = 1 }: ConvLayer): Record<string, ParameterSpec> {
  const fanIn = (from / groups) * size * size;
  return {
    [`${name}.w`]: {
      shape: [to, from / groups, size, size],
      init: { kind: 'normal', deviation: Math.sqrt(2 / fanIn) },
    },
    [`${name}.gamma`]: { shape: [to], init: { kind: 'ones' } },
    [`${name}.beta`]: { shape: [to], init: { kind: 'zeros' } },
    [`${name}.mean`]: { shape: [to], init: { kind: 'zeros' }, follows: true },
    [`${name}.variance`]: { shape: [to], init: { kind: 'ones' }, follows: true },
  };
}

export interface ConvUse {
  layer: ConvLayer;
  parameters: Values;
  residual?: Value;
  relu?: boolean;
}

/** relu(bn(conv(x)) + residual). */
export function convNorm(t: Tape, x: Value, { layer, parameters, residual, relu = true }: ConvUse): Value {
  const { name, size = 3, stride = 1, groups = 1 } = layer;
  const of = (part: string): Value => parameters.of(`${name}.${part}`);
  const y = conv2d(t, x, of('w'), { pad: (size - 1) / 2, stride, groups });
  const parts = { gamma: of('gamma'), beta: of('beta'), mean: of('mean'), variance: of('variance') };
  return batchNorm(t, y, parts, { relu, ...(residual === undefined ? {} : { residual }) });
}

export function headParameters(features: number, classes: number): Record<string, ParameterSpec> {
  return {
    'out.w': { shape: [features, classes], init: { kind: 'normal', deviation: 1 / Math.sqrt(features) } },
    'out.b': { shape: [classes], init: { kind: 'zeros' } },
  };
}

/** Mean over the pixels, dropout, one linear layer. */
export function head(t: Tape, x: Value, { parameters, ratio }: { parameters: Values; ratio: Value }): Value {
  return dense(t, dropout(t, globalAveragePool(t, x), ratio), parameters.of('out.w'), parameters.of('out.b'));
}

/** What fitting knows of the images: side in pixels, and mean and deviation of each colour in 0…255. */
export interface ImageInput {
  side: number;
  mean: readonly number[];
  deviation: readonly number[];
}

export const imageInput = (side: number): Record<string, InputSpec> => ({
  image: { shape: [3, side, side], dtype: 'uint8' },
});

/** Bytes to numbers of mean 0 and deviation 1 in each colour; part of the exported model, so that serving feeds bytes. */
export function standardise(t: Tape, inputs: Values, { mean, deviation }: ImageInput): Value {
  const g = t.graph;
  const bytes = inputs.of('image');
  const x = g.node('Cast', [bytes], bytes.shape, { attributes: { to: 1 } });
  const scale = g.constant(
    Float32Array.from(deviation, (d) => 1 / d),
    [3, 1, 1],
  );
  const shift = g.constant(
    Float32Array.from(mean, (m, i) => -m / (deviation[i] ?? 1)),
    [3, 1, 1],
  );
  return g.node('Add', [g.node('Mul', [x, scale], x.shape), shift], x.shape);
}
