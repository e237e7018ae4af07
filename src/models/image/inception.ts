import type { Value } from '../../graph/graph.ts';
import type { Network, ParameterSpec, Values } from '../../graph/network.ts';
import { conv2d } from '../../graph/ops/convolution/conv2d.ts';
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
const stageWidths = [4, 8, 12] as const;

/**
 * Inception (Szegedy et al. 2015, "Going Deeper with Convolutions", figure 2b; 2016, "Rethinking the Inception
 * Architecture", figure 5): modules of four parallel branches, 1×1, 3×3, 5×5 factorised into two 3×3, and mean pooling,
 * each narrowed by a 1×1 convolution. For small inputs: a stem of two 3×3 convolutions of stride 1, 2×2 pooling between stages,
 * batch norm (one over a module's joined results), and no auxiliary heads.
 */
export const inception = imageFamily({
  name: 'inception',
  title: 'Inception: parallel branches of several filter sizes',
  epochs: 30,
  depth: { knob: 'modules', min: 1, max: 3, initial: 2 },
  network: inceptionNetwork,
});

/** Consecutive layers; all but the last have their own batch norm and ReLU, the last shares the module's. */
interface InceptionBranch {
  pooled: boolean;
  layers: readonly ConvLayer[];
}

interface Module {
  name: string;
  /** Channels of all branches together. */
  to: number;
  branches: readonly InceptionBranch[];
}

/** The last of three stages has twelve times as many channels as the stem; each has `depth` modules. */
function inceptionNetwork({ width, depth, ...task }: SizedImageTask): Network {
  const channels = stageWidths.map((widths) => widths * width);
  const stem: ConvLayer[] = [
    { name: 'stem1', from: channelsOf(task.image), to: width },
    { name: 'stem2', from: width, to: 2 * width, pool: 2 },
  ];
  const stages = stagesOf(channels, { from: 2 * width, modules: () => depth }, (position, reach) =>
    moduleOf(`module${position}`, reach),
  );
  return imageClassifier(task, {
    parameters: Object.assign({}, ...stem.map(convParameters), ...stages.flat().map(moduleParameters)),
    features: channels.at(-1) ?? 0,
    stages: (t, images, parameters) =>
      applyStages(
        t,
        stem.reduce((x, layer) => convNorm(t, x, { layer, parameters }), images),
        stages,
        (x, module) => parallel(t, x, { module, parameters }),
      ),
  });
}

/** About half of the channels come from the 3×3 branch, a quarter from 1×1, an eighth from each of the others. */
function moduleOf(name: string, { from, to }: ModuleChannels): Module {
  const [quarter, eighth] = [wholeBlocks(to / 4), wholeBlocks(to / 8)];
  const rest = to - quarter - 2 * eighth;
  return {
    name,
    to,
    branches: [
      { pooled: false, layers: chain(`${name}.one`, from, [[1, quarter]]) },
      {
        pooled: false,
        layers: chain(`${name}.three`, from, [
          [1, quarter],
          [3, rest],
        ]),
      },
      {
        pooled: false,
        layers: chain(`${name}.five`, from, [
          [1, eighth],
          [3, eighth],
          [3, eighth],
        ]),
      },
      { pooled: true, layers: chain(`${name}.pool`, from, [[1, eighth]]) },
    ],
  };
}

/** Channels that fill vector registers. */
const wholeBlocks = (channels: number): number => Math.max(16, 16 * Math.floor(channels / 16));

/** Consecutive layers of these sizes and channels. */
const chain = (name: string, from: number, layers: readonly (readonly [size: number, to: number])[]): ConvLayer[] =>
  layers.map(([size, to], i) => ({ name: `${name}${i + 1}`, from: layers[i - 1]?.[1] ?? from, to, size }));

const moduleParameters = ({ name, to, branches }: Module): Record<string, ParameterSpec> =>
  Object.assign(
    normParameters(name, to),
    ...branches.flatMap(({ layers }) =>
      layers.map((layer, i) => (i < layers.length - 1 ? convParameters(layer) : kernelParameters(layer))),
    ),
  );

/** 3×3 mean pooling that keeps the size, as a depthwise convolution, which is fast in all layouts. */
function neighbourMeans(t: Tape, x: Value): Value {
  const channels = Number(x.shape[1]);
  const means = t.graph.constant(new Float32Array(channels * 9).fill(1 / 9), [channels, 1, 3, 3]);
  return conv2d(t, x, means, { pad: 1, groups: channels });
}

function parallel(t: Tape, x: Value, { module, parameters }: { module: Module; parameters: Values }): Value {
  const results = module.branches.map(({ pooled, layers }) =>
    layers.reduce(
      (y, layer, i) => (i < layers.length - 1 ? convNorm : conv)(t, y, { layer, parameters }),
      pooled ? neighbourMeans(t, x) : x,
    ),
  );
  return norm(t, concat(t, results, 1), { name: module.name, parameters });
}
