import { flagAttribute, floatAttribute, intsAttribute, textAttribute } from './attributes.ts';
import type { Conversion, OpConverter } from './conversion.ts';
import { type Convolution, convolve, fromChannelsFirst, pool, toChannelsFirst } from './images.ts';
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
    if (isPoint && !depthwise)
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

/** Ops of image networks. */
export const imageOps: Readonly<Record<string, OpConverter>> = {
  AvgPool: pooling('AveragePool'),
  Conv2D: convolution(false),
  DepthwiseConv2dNative: convolution(true),
  FusedBatchNorm: batchNorm,
  FusedBatchNormV3: batchNorm,
  MaxPool: pooling('MaxPool'),
};
