import { classifier } from '../../src/graph/classifier.ts';
import type { Value } from '../../src/graph/graph.ts';
import type { Network, ParameterSpec, Values } from '../../src/graph/network.ts';
import { conv2d } from '../../src/graph/ops/convolution/conv2d.ts';
import { maxPool } from '../../src/graph/ops/convolution/pooling.ts';
import type { Tape } from '../../src/graph/tape.ts';
import { imageInput, readImages } from '../../src/models/image/input.ts';
import { type ConvLayer, convNorm, convParameters, head, headParameters } from '../../src/models/image/layers.ts';
import { vggNetwork } from '../../src/models/image/vgg.ts';

/** Three networks on 32×32 images with ten classes; `peer.py` has the same in PyTorch. */
const image = { side: 32, mean: [127.5, 127.5, 127.5], deviation: [73.9, 73.9, 73.9] };
const classes = 10;

export const vgg32: Network = vggNetwork({ image, stages: [[32, 32], [64, 64], [128]], classes });

/** Blocks of two 3×3 convolutions with a shortcut; the later two halve the image by stride 2 (He et al. 2016). */
export const resnet32: Network = residual([
  { name: 'a', from: 32, to: 32, stride: 1 },
  { name: 'b', from: 32, to: 64, stride: 2 },
  { name: 'c', from: 64, to: 128, stride: 2 },
]);

/** Blocks of two depthwise separable convolutions with a shortcut, halved by max pooling (Chollet 2017). */
export const xception32: Network = separable([
  { name: 'a', from: 32, to: 64 },
  { name: 'b', from: 64, to: 128 },
  { name: 'c', from: 128, to: 128 },
]);

function residual(blocks: readonly { name: string; from: number; to: number; stride: number }[]): Network {
  const stem = { name: 'stem', from: 3, to: 32 };
  const layers = blocks.map(({ name, from, to, stride }) => ({
    first: { name: `${name}.1`, from, to, stride },
    second: { name: `${name}.2`, from: to, to },
    shortcut: from === to ? null : { name: `${name}.s`, from, to, size: 1, stride },
  }));
  const all: ConvLayer[] = [
    stem,
    ...layers.flatMap(({ first, second, shortcut }) => [first, second, ...(shortcut ? [shortcut] : [])]),
  ];
  return classifier({
    classes,
    inputs: imageInput(image.side),
    parameters: { ...Object.assign({}, ...all.map(convParameters)), ...headParameters(128, classes) },
    logits: (t, inputs, parameters, ratio) => {
      let x = convNorm(t, readImages(t, inputs, image), { layer: stem, parameters });
      for (const { first, second, shortcut } of layers) {
        const across = shortcut === null ? x : convNorm(t, x, { layer: shortcut, parameters, relu: false });
        x = convNorm(t, convNorm(t, x, { layer: first, parameters }), { layer: second, parameters, residual: across });
      }
      return head(t, x, { parameters, ratio });
    },
  });
}

function separable(blocks: readonly { name: string; from: number; to: number }[]): Network {
  const stem = { name: 'stem', from: 3, to: 32 };
  const layers: SeparableBlock[] = blocks.map(({ name, from, to }) => ({
    first: { name: `${name}.1`, from, to, size: 1 },
    second: { name: `${name}.2`, from: to, to, size: 1 },
    shortcut: from === to ? null : { name: `${name}.s`, from, to, size: 1, stride: 2 },
  }));
  const points = layers.flatMap(({ first, second }) => [first, second]);
  const convs: ConvLayer[] = [stem, ...points, ...layers.flatMap(({ shortcut }) => shortcut ?? [])];
  const spreads = points.map(({ name, from }): [string, ParameterSpec] => [
    `${name}.spread`,
    { shape: [from, 1, 3, 3], init: { kind: 'normal', deviation: Math.sqrt(2 / 9) } },
  ]);
  return classifier({
    classes,
    inputs: imageInput(image.side),
    parameters: {
      ...Object.assign({}, ...convs.map(convParameters)),
      ...Object.fromEntries(spreads),
      ...headParameters(128, classes),
    },
    logits: (t, inputs, parameters, ratio) => {
      const first = convNorm(t, readImages(t, inputs, image), { layer: stem, parameters });
      const last = layers.reduce((x, layer) => separableBlock(t, x, { layer, parameters }), first);
      return head(t, last, { parameters, ratio });
    },
  });
}

interface SeparableBlock {
  first: ConvLayer;
  second: ConvLayer;
  shortcut: ConvLayer | null;
}

function separableBlock(
  t: Tape,
  x: Value,
  { layer, parameters }: { layer: SeparableBlock; parameters: Values },
): Value {
  const { first, second, shortcut } = layer;
  const spread = (value: Value, { name, from }: ConvLayer): Value =>
    conv2d(t, value, parameters.of(`${name}.spread`), { pad: 1, groups: from });
  const inner = spread(convNorm(t, spread(x, first), { layer: first, parameters }), second);
  if (shortcut === null) return convNorm(t, inner, { layer: second, parameters, residual: x });
  const main = maxPool(t, convNorm(t, inner, { layer: second, parameters, relu: false }), { size: 2 });
  return convNorm(t, x, { layer: shortcut, parameters, residual: main });
}
