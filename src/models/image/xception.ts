import type { Value } from '../../graph/graph.ts';
import type { Network, ParameterSpec, Values } from '../../graph/network.ts';
import { maxPool } from '../../graph/ops/convolution/pooling.ts';
import type { Tape } from '../../graph/tape.ts';
import { imageFamily, type SizedImageTask } from './image-family.ts';
import { channelsOf } from './input.ts';
import { type ConvLayer, conv, convNorm, convParameters, imageClassifier, kernelParameters } from './layers.ts';

/** Channels of the blocks that halve the image, in widths. */
const entryWidths = [2, 4, 8] as const;

/**
 * Xception (Chollet 2017, "Xception: Deep Learning with Depthwise Separable Convolutions", figure 5): blocks of separable
 * convolutions, a depthwise 3×3 one and then a 1×1 one, with shortcuts around them; entry blocks halve the image, middle blocks
 * keep its size. For small inputs: one 3×3 convolution of stride 1 before the blocks, 2×2 pooling in
 * place of 3×3, two separable convolutions in middle blocks too, and ReLU at a block's end instead of its beginning.
 */
export const xception = imageFamily({
  name: 'xception',
  title: 'Xception: depthwise separable convolutions with shortcuts',
  epochs: 30,
  depth: { knob: 'middle', min: 0, max: 4, initial: 2 },
  network: xceptionNetwork,
});

/** A depthwise 3×3 convolution, then a 1×1 one. */
interface Separable {
  spread: ConvLayer;
  point: ConvLayer;
}

interface Block {
  first: Separable;
  second: Separable;
  /** 1×1 of stride 2 if the block halves the image. */
  shortcut: ConvLayer | null;
}

/** Three entry blocks, each of which doubles the channels, then `depth` middle blocks. */
function xceptionNetwork({ width, depth, ...task }: SizedImageTask): Network {
  const stem: ConvLayer = { name: 'stem', from: channelsOf(task.image), to: width };
  const channels = entryWidths.map((widths) => widths * width);
  const last = channels.at(-1) ?? width;
  const blocks = [
    ...channels.map((to, i) => blockOf(`entry${i + 1}`, { from: channels[i - 1] ?? width, to })),
    ...Array.from({ length: depth }, (_, i) => blockOf(`middle${i + 1}`, { from: last, to: last })),
  ];
  return imageClassifier(task, {
    parameters: Object.assign(convParameters(stem), ...blocks.map(blockParameters)),
    features: last,
    stages: (t, images, parameters) =>
      blocks.reduce(
        (x, layers) => block(t, x, { layers, parameters }),
        convNorm(t, images, { layer: stem, parameters }),
      ),
  });
}

function blockOf(name: string, { from, to }: { from: number; to: number }): Block {
  return {
    first: separableOf(`${name}.1`, { from, to }),
    second: separableOf(`${name}.2`, { from: to, to }),
    shortcut: from === to ? null : { name: `${name}.shortcut`, from, to, size: 1, stride: 2 },
  };
}

const separableOf = (name: string, { from, to }: { from: number; to: number }): Separable => ({
  spread: { name: `${name}.spread`, from, to: from, groups: from },
  point: { name: `${name}.point`, from, to, size: 1 },
});

const blockParameters = ({ first, second, shortcut }: Block): Record<string, ParameterSpec> => ({
  ...kernelParameters(first.spread),
  ...convParameters(first.point),
  ...kernelParameters(second.spread),
  ...convParameters(second.point),
  ...(shortcut === null ? {} : convParameters(shortcut)),
});

function block(t: Tape, x: Value, { layers, parameters }: { layers: Block; parameters: Values }): Value {
  const { first, second, shortcut } = layers;
  const spread = (value: Value, { spread: layer }: Separable): Value => conv(t, value, { layer, parameters });
  const inner = spread(convNorm(t, spread(x, first), { layer: first.point, parameters }), second);
  if (shortcut === null) return convNorm(t, inner, { layer: second.point, parameters, residual: x });
  const halved = maxPool(t, convNorm(t, inner, { layer: second.point, parameters, relu: false }), { size: 2 });
  return convNorm(t, x, { layer: shortcut, parameters, residual: halved });
}
