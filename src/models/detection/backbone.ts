import type { PixelState } from '../../features/pixels.ts';
import type { Value } from '../../graph/graph.ts';
import type { ParameterSpec, Values } from '../../graph/network.ts';
import { add } from '../../graph/ops/arithmetic.ts';
import { upsample } from '../../graph/ops/convolution/resampling.ts';
import type { Tape } from '../../graph/tape.ts';
import { readImages } from '../image/input.ts';
import { type ConvLayer, convNorm, convParameters } from '../image/layers.ts';

/** Side in pixels of a patch, which is one pixel of the stem. */
const patch = 4;

/** Strides of the maps of a pyramid. */
export const strides = [8, 16, 32] as const;
export type Stride = (typeof strides)[number];
export type Pyramid = Readonly<Record<Stride, Value>>;

export interface BackboneSize {
  /** Channels of the map of stride 4; stride 8 has twice, 16 and 32 have four times as many. */
  width: number;
  /** Residual blocks at each stride. */
  blocks: number;
}

/** Channels of each map of the pyramid. */
export const pyramidChannels = ({ width }: BackboneSize): number => 2 * width;

interface BackboneStage {
  enter: ConvLayer;
  blocks: { first: ConvLayer; second: ConvLayer }[];
}

/**
 * The backbone of all detectors: a residual network (He et al. 2016) from patches of 4×4 pixels down to stride 32, and a feature
 * pyramid (Lin et al. 2017) back up to stride 8, which adds upsampled coarse maps to lateral ones: with few training images,
 * classes need large context and boxes need fine detail.
 */
export function backbone(size: BackboneSize) {
  const stages = stagesOf(size);
  const laterals = strides.map((stride): ConvLayer => {
    const from = stages.at(Math.log2(stride / patch))?.enter.to ?? 0;
    return { name: `across${stride}`, from, to: pyramidChannels(size), size: 1 };
  });
  const smooth = strides.map((stride): ConvLayer => {
    const channels = pyramidChannels(size);
    return { name: `smooth${stride}`, from: channels, to: channels };
  });
  const layers = [
    ...stages.flatMap(({ enter, blocks }) => [enter, ...blocks.flatMap(({ first, second }) => [first, second])]),
    ...laterals,
    ...smooth,
  ];
  const parameters: Record<string, ParameterSpec> = Object.assign({}, ...layers.map(convParameters));

  const features = (t: Tape, inputs: Values, { weights, image }: { weights: Values; image: PixelState }): Pyramid => {
    const conv = (x: Value, layer: ConvLayer, residual?: Value): Value =>
      convNorm(t, x, { layer, parameters: weights, ...(residual === undefined ? {} : { residual }) });
    let x = readImages(t, inputs, image, patch);
    const maps = stages.map(({ enter, blocks }) => {
      x = conv(x, enter);
      for (const { first, second } of blocks) x = conv(conv(x, first), second, x);
      return x;
    });
    let above: Value | null = null;
    const level = (i: number): Value => {
      const lateral = convNorm(t, maps[i + 1] as Value, { layer: laterals[i] as ConvLayer, parameters: weights });
      const joined = above === null ? lateral : add(t, lateral, upsample(t, above, 2));
      above = conv(joined, smooth[i] as ConvLayer);
      return above;
    };
    const [coarse, middle, fine] = [level(2), level(1), level(0)];
    return { 8: fine, 16: middle, 32: coarse };
  };
  return { parameters, features };
}

function stagesOf({ width, blocks }: BackboneSize): BackboneStage[] {
  const channels = [width, 2 * width, 4 * width, 4 * width];
  return channels.map((to, i) => {
    const from = channels[i - 1] ?? 3 * patch * patch;
    const name = `stage${i + 1}`;
    return {
      enter: { name: `${name}.enter`, from, to, stride: i === 0 ? 1 : 2 },
      blocks: Array.from({ length: blocks }, (_, j) => ({
        first: { name: `${name}.${j + 1}a`, from: to, to },
        second: { name: `${name}.${j + 1}b`, from: to, to },
      })),
    };
  });
}
