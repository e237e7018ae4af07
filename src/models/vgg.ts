import { pixelState } from '../features/pixels.ts';
import type { Value } from '../graph/graph.ts';
import type { Network } from '../graph/network.ts';
import { maxPool } from '../graph/ops/pooling.ts';
import type { Family } from './family.ts';
import { augmentBatch, fitImages, imageRecipe, imageSpace } from './image-knobs.ts';
import {
  type ConvLayer,
  convNorm,
  convParameters,
  head,
  headParameters,
  type ImageInput,
  imageInput,
  standardise,
} from './image-layers.ts';
import { countKnob } from './knobs.ts';

/** Stages of the original that leave a 32×32 image 4×4 pixels before its mean. */
const stageCount = 4;

/**
 * VGG (Simonyan and Zisserman 2015, "Very Deep Convolutional Networks", table 1): stages of 3×3 convolutions parted by 2×2
 * max pooling, channels doubled from stage to stage. For small inputs: batch norm after each convolution, and a mean over
 * the pixels with one linear layer in place of three, which have most of the original's weights.
 */
export const vgg: Family = {
  name: 'vgg',
  title: 'VGG: stages of 3×3 convolutions',
  tasks: ['image_classification'],
  space: () =>
    imageSpace()
      .addCategoricalKnob('width', [16, 32, 64], { group: 'architecture', initial: 32 })
      .addRangeKnob('depth', 'int', 1, 3, { group: 'architecture', initial: 2 }),
  fit: fitImages,
  network: (features, knobs) => {
    const image = pixelState(features);
    const width = countKnob(knobs, 'width');
    const depth = countKnob(knobs, 'depth');
    return vggNetwork({
      image,
      stages: Array.from({ length: stageCount }, (_, i) => Array.from({ length: depth }, () => width * 2 ** i)),
      classes: features.classes.length,
    });
  },
  recipe: imageRecipe,
  augment: augmentBatch,
};

export interface VggSize {
  image: ImageInput;
  /** Channels of the layers of each stage; stages are parted by 2×2 max pooling. */
  stages: readonly (readonly number[])[];
  classes: number;
}

/** The network alone, so that its speed can be measured on sizes that no data decides. */
export function vggNetwork({ image, stages, classes }: VggSize): Network {
  const layers = layersOf(stages);
  return {
    classes,
    inputs: imageInput(image.side),
    parameters: {
      ...Object.assign({}, ...layers.flat().map(convParameters)),
      ...headParameters(stages.at(-1)?.at(-1) ?? 0, classes),
    },
    logits: (t, inputs, parameters, ratio) => {
      const convolved = (x: Value, layer: ConvLayer): Value => convNorm(t, x, { layer, parameters });
      const last = layers.reduce(
        (x, stage, i) => stage.reduce(convolved, i === 0 ? x : maxPool(t, x, { size: 2 })),
        standardise(t, inputs, image),
      );
      return head(t, last, { parameters, ratio });
    },
  };
}

function layersOf(stages: VggSize['stages']): ConvLayer[][] {
  let from = 3;
  return stages.map((stage, i) =>
    stage.map((to, j) => {
      const layer = { name: `conv${i + 1}_${j + 1}`, from, to };
      from = to;
      return layer;
    }),
  );
}
