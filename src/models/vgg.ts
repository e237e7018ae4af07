import type { Value } from '../graph/graph.ts';
import type { Network } from '../graph/network.ts';
import { maxPool } from '../graph/ops/pooling.ts';
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
