import type { Value } from '../../graph/graph.ts';
import type { Network, ParameterSpec, Values } from '../../graph/network.ts';
import { concat } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';
import { imageFamily, type SizedImageTask } from './image-family.ts';
import { channelsOf } from './input.ts';
import {
  type ConvLayer,
  conv,
  convNorm,
  convParameters,
  imageClassifier,
  kernelParameters,
  norm,
  normParameters,
} from './layers.ts';
import { applyStages, type ModuleChannels, stagesOf } from './stages.ts';

/** Channels of each stage's modules, in widths; between stages there is 2×2 max pooling. */
const stageWidths = [2, 4, 8, 12] as const;

/** Fewer channels would not fill a vector register. */
const minSqueezed = 16;

/**
 * SqueezeNet (Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", figures 1 and 2): fire
 * modules squeeze all channels to a few by 1×1 convolutions and expand them by parallel 1×1 and 3×3 ones, with the simple
 * bypass of figure 2 around modules that keep their channels. For small inputs: a 3×3 stem of stride 1, 2×2 pooling
 * between stages, a quarter of the channels squeezed in place of an eighth, batch norm (one over a module's joined results), and
 * a linear layer after the mean, which equals conv10 before it.
 */
export const squeezenet = imageFamily({
  name: 'squeezenet',
  title: 'SqueezeNet: fire modules of few weights',
  epochs: 40,
  depth: { knob: 'modules', min: 1, max: 3, initial: 2 },
  network: squeezenetNetwork,
});

interface Fire {
  name: string;
  squeeze: ConvLayer;
  expand: readonly [ConvLayer, ConvLayer];
  /** Whether inputs and outputs have the same number of channels. */
  bypass: boolean;
}

/** The first stage has twice as many channels as `width`, the last one twelve times; each but the first has `depth` modules, the first has one. */
function squeezenetNetwork({ width, depth, ...task }: SizedImageTask): Network {
  const channels = stageWidths.map((widths) => widths * width);
  const [first = 0] = channels;
  const stem: ConvLayer = { name: 'stem', from: channelsOf(task.image), to: first };
  const stages = stagesOf(channels, { from: first, modules: (stage) => (stage === 0 ? 1 : depth) }, (position, reach) =>
    fireOf(`fire${position}`, reach),
  );
  return imageClassifier(task, {
    parameters: Object.assign(convParameters(stem), ...stages.flat().map(fireParameters)),
    features: channels.at(-1) ?? 0,
    stages: (t, images, parameters) =>
      applyStages(t, convNorm(t, images, { layer: stem, parameters }), stages, (x, module) =>
        fire(t, x, { module, parameters }),
      ),
  });
}

function fireOf(name: string, { from, to }: ModuleChannels): Fire {
  const squeezed = Math.max(minSqueezed, to / 4);
  const expanded = (size: number): ConvLayer => ({ name: `${name}.expand${size}`, from: squeezed, to: to / 2, size });
  return {
    name,
    squeeze: { name: `${name}.squeeze`, from, to: squeezed, size: 1 },
    expand: [expanded(1), expanded(3)],
    bypass: from === to,
  };
}

const fireParameters = ({ name, squeeze, expand: [one, three] }: Fire): Record<string, ParameterSpec> => ({
  ...convParameters(squeeze),
  ...kernelParameters(one),
  ...kernelParameters(three),
  ...normParameters(name, one.to + three.to),
});

function fire(t: Tape, x: Value, { module, parameters }: { module: Fire; parameters: Values }): Value {
  const squeezed = convNorm(t, x, { layer: module.squeeze, parameters });
  const expanded = module.expand.map((layer) => conv(t, squeezed, { layer, parameters }));
  const { name, bypass } = module;
  return norm(t, concat(t, expanded, 1), { name, parameters, ...(bypass ? { residual: x } : {}) });
}
