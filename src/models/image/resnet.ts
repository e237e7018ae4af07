import type { Value } from '../../graph/graph.ts';
import type { Network } from '../../graph/network.ts';
import { imageFamily, type SizedImageTask } from './image-family.ts';
import { channelsOf } from './input.ts';
import { type ConvLayer, convNorm, convParameters, imageClassifier } from './layers.ts';

/**
 * Residual network (He et al. 2016, "Deep Residual Learning for Image Recognition", figure 2): blocks of two 3×3 convolutions
 * with a shortcut. For small inputs: a 3×3 stem without pooling, and stages that begin with a widening convolution and 2×2
 * max pooling instead of strided projections, as in Page's ResNet-9, with blocks in the first and the last of three stages.
 */
export const resnet = imageFamily({
  name: 'resnet',
  title: 'ResNet: convolutions with shortcuts around them',
  epochs: 30,
  depth: { knob: 'blocks', min: 1, max: 3, initial: 1 },
  network: resnetNetwork,
});

interface ResnetStage {
  widen: ConvLayer;
  blocks: { first: ConvLayer; second: ConvLayer }[];
}

/** Each of three stages doubles the channels; the first and the last have `depth` residual blocks. */
function resnetNetwork({ width, depth, ...task }: SizedImageTask): Network {
  const stem: ConvLayer = { name: 'stem', from: channelsOf(task.image), to: width };
  const stages = [depth, 0, depth].map((count, i) => stageOf(i + 1, { from: width * 2 ** i, count }));
  const layers = stages.flatMap(({ widen, blocks: inner }) => [
    widen,
    ...inner.flatMap(({ first, second }) => [first, second]),
  ]);
  return imageClassifier(task, {
    parameters: Object.assign({}, ...[stem, ...layers].map(convParameters)),
    features: width * 8,
    stages: (t, images, parameters) => {
      const conv = (x: Value, layer: ConvLayer, residual?: Value): Value =>
        convNorm(t, x, { layer, parameters, ...(residual === undefined ? {} : { residual }) });
      let x = conv(images, stem);
      for (const { widen, blocks: inner } of stages) {
        x = conv(x, widen);
        for (const { first, second } of inner) x = conv(conv(x, first), second, x);
      }
      return x;
    },
  });
}

function stageOf(number: number, { from, count }: { from: number; count: number }): ResnetStage {
  const to = 2 * from;
  const blocks = Array.from({ length: count }, (_, i) => {
    const name = `stage${number}.block${i + 1}`;
    return { first: { name: `${name}.1`, from: to, to }, second: { name: `${name}.2`, from: to, to } };
  });
  return { widen: { name: `stage${number}.widen`, from, to, pool: 2 }, blocks };
}
