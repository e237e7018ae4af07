import type { Network } from '../../graph/network.ts';
import { imageFamily } from './image-family.ts';
import { channelsOf } from './input.ts';
import { type ConvLayer, convNorm, convParameters, type ImageTask, imageClassifier } from './layers.ts';

/** The original's number of stages that reduce a 32×32 image to 4×4 pixels. */
const stageCount = 4;

/**
 * VGG (Simonyan and Zisserman 2015, "Very Deep Convolutional Networks", table 1): stages of 3×3 convolutions with 2×2
 * max pooling between them, channels doubled from stage to stage. For small inputs: batch norm after each convolution, and a mean over
 * the pixels with one linear layer instead of three, which have most of the original's weights.
 */
export const vgg = imageFamily({
  name: 'vgg',
  title: 'VGG: stages of 3×3 convolutions',
  epochs: 45,
  depth: { knob: 'depth', min: 1, max: 3, initial: 2 },
  network: ({ width, depth, ...task }) => {
    const stages = Array.from({ length: stageCount }, (_, i) => Array.from({ length: depth }, () => width * 2 ** i));
    return vggNetwork({ ...task, stages });
  },
});

export interface VggSize extends ImageTask {
  /** Channels of the layers of each stage; between stages there is 2×2 max pooling. */
  stages: readonly (readonly number[])[];
}

/** The network alone, so that its speed can be measured for sizes independent of data. */
export function vggNetwork({ stages, ...task }: VggSize): Network {
  const layers = layersOf(stages, channelsOf(task.image));
  return imageClassifier(task, {
    parameters: Object.assign({}, ...layers.map(convParameters)),
    features: layers.at(-1)?.to ?? 0,
    stages: (t, images, parameters) => layers.reduce((x, layer) => convNorm(t, x, { layer, parameters }), images),
  });
}

function layersOf(stages: VggSize['stages'], channels: number): ConvLayer[] {
  let from = channels;
  return stages.flatMap((stage, i) =>
    stage.map((to, j) => {
      const pooled = j === stage.length - 1 && i < stages.length - 1;
      const layer = { name: `conv${i + 1}_${j + 1}`, from, to, ...(pooled ? { pool: 2 } : {}) };
      from = to;
      return layer;
    }),
  );
}
