import { flagAttribute, floatAttribute, intsAttribute, textAttribute, textsAttribute } from './attributes.ts';
import type { Conversion, OpConverter } from './conversion.ts';
import { type Convolution, convolve, fromChannelsFirst, pool, toChannelsFirst } from './images.ts';
import { writeMatmul } from './matmul.ts';
import type { TfjsNode } from './model-json.ts';

/** Strides, dilations and padding as TensorFlow's attributes of images [N, H, W, C] give them. */
function windowOf(c: Conversion, node: TfjsNode): Omit<Convolution, 'depthwise'> {
  if (textAttribute(node, 'data_format', 'NHWC') !== 'NHWC') throw c.unsupported(node, 'with channels first');
  const padding = textAttribute(node, 'padding', 'VALID').toLowerCase();
  if (padding !== 'same' && padding !== 'valid') throw c.unsupported(node, `with the padding ${padding}`);
  const inner = (name: string): [number, number] => {
    const [, rows = 1, columns = 1] = intsAttribute(node, name);
    return [rows, columns];
  };
  return { strides: inner('strides'), dilations: inner('dilations'), padding };
}

const convolution =
  (depthwise: boolean): OpConverter =>
  (c, node) => {
    const kernel = c.weight(node, 1);
    const [x, window] = [c.input(node, 0), windowOf(c, node)];
    const [height, width, channels = 1, outputs = 1] = kernel.shape;
    const isPoint = height === 1 && width === 1 && window.strides.every((stride) => stride === 1);
    // of what are no images: images stay channels first between convolutions, which are then done without a copy
    if (isPoint && !depthwise && !c.isOfImages)
      return [c.write.node('MatMul', [x, c.write.constant(kernel.data, [channels, outputs], 'float')])];
    return [
      fromChannelsFirst(c.write, convolve(c.write, toChannelsFirst(c.write, x), kernel, { ...window, depthwise })),
    ];
  };

const pooling =
  (op: 'MaxPool' | 'AveragePool'): OpConverter =>
  (c, node) => {
    const [, rows = 1, columns = 1] = intsAttribute(node, 'ksize');
    const pooled = pool(c.write, op, toChannelsFirst(c.write, c.input(node, 0)), {
      ...windowOf(c, node),
      size: [rows, columns],
    });
    return [fromChannelsFirst(c.write, pooled)];
  };

/** γ (x − μ) / √(σ² + ε) + β over the last axis. */
const batchNorm: OpConverter = (c, node) => {
  if (flagAttribute(node, 'is_training')) throw c.unsupported(node, 'in training');
  const [x, scale, offset, mean, variance] = c.inputs(node) as [string, string, string, string, string];
  const epsilon = c.write.float(floatAttribute(node, 'epsilon', 1e-3));
  const deviation = c.write.node('Sqrt', [c.write.node('Add', [variance, epsilon])]);
  const standardised = c.write.node('Div', [c.write.node('Sub', [x, mean]), deviation]);
  return [c.write.node('Add', [c.write.node('Mul', [standardised, scale]), offset])];
};

/** What the converter's optimiser puts behind an op: a bias over the last axis, and a function. */
const fused =
  (op: OpConverter): OpConverter =>
  (c, node) => {
    const [x] = op(c, node) as [string];
    const after = (value: string, name: string, place: number): string => {
      if (name === 'BiasAdd' && place === 0) return c.write.node('Add', [value, c.input(node, 2)]);
      if (name === 'Relu6') return c.write.node('Clip', [value, c.write.float(0), c.write.float(6)]);
      if (['Relu', 'Elu', 'Sigmoid'].includes(name)) return c.write.node(name, [value]);
      if (name !== 'LeakyRelu') throw c.unsupported(node, `with the fused op ${name}`);
      const alpha = { float: floatAttribute(node, 'leakyrelu_alpha', 0.2) };
      return c.write.node('LeakyRelu', [value], { attributes: { alpha } });
    };
    return [textsAttribute(node, 'fused_ops').reduce(after, x)];
  };

/** Ops of image networks. */
export const imageOps: Readonly<Record<string, OpConverter>> = {
  _FusedConv2D: fused(convolution(false)),
  _FusedMatMul: fused(writeMatmul),
  AvgPool: pooling('AveragePool'),
  Conv2D: convolution(false),
  DepthwiseConv2dNative: convolution(true),
  FusedBatchNorm: batchNorm,
  FusedBatchNormV3: batchNorm,
  FusedDepthwiseConv2dNative: fused(convolution(true)),
  MatMul: writeMatmul,
  MaxPool: pooling('MaxPool'),
};
