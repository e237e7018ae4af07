import { HyperSpace, type Knobs } from '../../domain/hyper-space.ts';
import type { TensorData } from '../../domain/tensor.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { fitPixels, pixelState } from '../../features/pixels.ts';
import { whitenings } from '../../features/whitening.ts';
import type { Network } from '../../graph/network.ts';
import type { Rng } from '../../runtime/rng.ts';
import { answersOf, fitAnswers } from '../answering.ts';
import type { FitData, NetworkFamily, Recipe } from '../family.ts';
import { choiceKnob, countKnob, narrower, numberKnob, regularisationKnobs, trainingKnobs } from '../knobs.ts';
import { augmentImages } from './augment.ts';
import type { ImageTask } from './layers.ts';

const widths = [16, 32, 64];

/** `shift` and `cutout` are in pixels of a 32×32 image, and are scaled with the side. */
const unit = 32;

export interface ImageArchitecture {
  name: string;
  title: string;
  /** Initial epochs. */
  epochs: number;
  /** The knob that other image families do not have: the number of layers, blocks or modules. */
  depth: { knob: string; min: number; max: number; initial: number };
  network(size: SizedImageTask): Network;
}

export interface SizedImageTask extends ImageTask {
  /** Channels of the first layer. */
  width: number;
  /** Value of the family's own knob. */
  depth: number;
}

/** A family that classifies images, from its architecture and what all of them share. */
export const imageFamily = ({ name, title, epochs, depth, network }: ImageArchitecture): NetworkFamily => ({
  name,
  title,
  input: 'image',
  outputs: ['label', 'number'],
  space: () =>
    imageSpace(epochs).addRangeKnob(depth.knob, 'int', depth.min, depth.max, {
      group: 'architecture',
      initial: depth.initial,
    }),
  smaller: (knobs) => narrower(knobs, widths),
  fit: fitImages,
  network: (features, knobs) =>
    network({
      ...imageTask(features, knobs),
      width: countKnob(knobs, 'width'),
      depth: countKnob(knobs, depth.knob, depth.min),
    }),
  recipe: imageRecipe,
  augment: augmentBatch,
});

/**
 * Knobs of all image families. `epochs` take the initial network about half an hour on one core, with 10,000 images.
 */
function imageSpace(epochs: number): HyperSpace {
  return new HyperSpace()
    .addCategoricalKnob('side', [32, 48, 64, 96, 128, 224], { group: 'preprocessing', initial: 32 })
    .addCategoricalKnob('whitening', whitenings, { group: 'preprocessing', initial: 'pca' })
    .addRangeKnob('shift', 'int', 0, 8, { group: 'preprocessing', initial: 4 })
    .addCategoricalKnob('flip', [true, false], { group: 'preprocessing', initial: true })
    .addRangeKnob('rotation', 'float', 0, 30, { group: 'preprocessing', initial: 0 })
    .addRangeKnob('colour', 'float', 0, 0.5, { group: 'preprocessing', initial: 0 })
    .addRangeKnob('cutout', 'int', 0, 16, { group: 'preprocessing', initial: 8 })
    .addCategoricalKnob('width', widths, { group: 'architecture', initial: 32 })
    .addCategoricalKnob('mirror_answers', [true, false], { group: 'architecture', initial: true })
    .addRangeKnob('epochs', 'int', 5, 60, { group: 'training', initial: epochs })
    .addCategoricalKnob('batch', [32, 64, 128], { group: 'training', initial: 64 })
    .addRangeKnob('learning_rate', 'float', 0.01, 0.3, { group: 'training', initial: 0.1, log: true })
    .addRangeKnob('momentum', 'float', 0.8, 0.95, { group: 'training', initial: 0.9 })
    .addRangeKnob('weight_decay', 'float', 1e-5, 5e-3, { group: 'training', initial: 1e-3, log: true })
    .addRangeKnob('dropout', 'float', 0, 0.5, { group: 'training', initial: 0 })
    .addRangeKnob('label_smoothing', 'float', 0, 0.2, { group: 'training', initial: 0.1 });
}

/**
 * Averages over about three epochs of 10,000 images. At the end of training the rate is near zero and they make little difference;
 * a trial that is stopped earlier, by its time or by the advisor, has less noisy weights.
 */
const averageDecay = 0.998;

/** Momentum SGD, as the image networks of the papers are trained. */
const imageRecipe = (knobs: Knobs): Recipe => ({
  optimiser: 'nesterov',
  ...trainingKnobs(knobs),
  ...regularisationKnobs(knobs),
  momentum: numberKnob(knobs, 'momentum'),
  averageDecay,
  stepsPerRun: 4,
});

const fitImages = async (data: FitData, knobs: Knobs): Promise<FittedFeatures> => ({
  encoder: 'pixels',
  ...fitAnswers(data),
  state: await fitPixels(data.inputs, countKnob(knobs, 'side', 8), choiceKnob(knobs, 'whitening', whitenings)),
});

const imageTask = (features: FittedFeatures, knobs: Knobs): ImageTask => ({
  image: pixelState(features),
  ...answersOf(features),
  mirrored: knobs['flip'] === true && knobs['mirror_answers'] === true,
});

function augmentBatch(batch: Record<string, TensorData>, knobs: Knobs, rng: Rng): void {
  const pixels = (name: string): number => Math.round((countKnob(knobs, name, 0) * countKnob(knobs, 'side')) / unit);
  augmentImages(
    batch['image'],
    {
      shift: pixels('shift'),
      flip: knobs['flip'] === true,
      rotation: numberKnob(knobs, 'rotation'),
      colour: numberKnob(knobs, 'colour'),
      cutout: pixels('cutout'),
    },
    rng,
  );
}
