import { HyperSpace, type Knobs } from '../../domain/hyper-space.ts';
import { boxLabels } from '../../domain/kinds/detection.ts';
import type { Labels } from '../../domain/task.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { InvalidParameter } from '../../errors/errors.ts';
import { fitPixels } from '../../features/pixels.ts';
import type { FitData, NetworkFamily, Recipe } from '../family.ts';
import { countKnob, narrower, trainingKnobs } from '../knobs.ts';
import { type BackboneSize, strides } from './backbone.ts';
import { sceneRows } from './scenes/scene-rows.ts';

/** Objects of an image that are learnt from, at most; mosaics have those of four images. */
export const MAX_OBJECTS = 64;
const MIN_OBJECTS = 8;

const coarsest = Math.max(...strides);

const widths = [16, 32, 48, 64];

/** Knobs of all detectors. */
export function detectionSpace(): HyperSpace {
  return new HyperSpace()
    .addCategoricalKnob('side', [96, 128, 160, 192, 224, 320], { group: 'preprocessing', initial: 160 })
    .addCategoricalKnob('flip', [true, false], { group: 'preprocessing', initial: true })
    .addRangeKnob('zoom', 'float', 0, 1, { group: 'preprocessing', initial: 0.5 })
    .addRangeKnob('aspect', 'float', 0, 1, { group: 'preprocessing', initial: 0.2 })
    .addRangeKnob('colour', 'float', 0, 0.6, { group: 'preprocessing', initial: 0.3 })
    .addRangeKnob('mosaic', 'float', 0, 0.6, { group: 'preprocessing', initial: 0.2 })
    .addCategoricalKnob('width', widths, { group: 'architecture', initial: 32 })
    .addRangeKnob('blocks', 'int', 1, 3, { group: 'architecture', initial: 1 })
    .addCategoricalKnob('mirror_answers', [true, false], { group: 'architecture', initial: true })
    .addRangeKnob('epochs', 'int', 5, 200, { group: 'training', initial: 40 })
    .addCategoricalKnob('batch', [8, 16, 32], { group: 'training', initial: 16 })
    .addRangeKnob('learning_rate', 'float', 3e-4, 5e-3, { group: 'training', initial: 2e-3, log: true })
    .addRangeKnob('weight_decay', 'float', 1e-3, 0.2, { group: 'training', initial: 0.05, log: true });
}

/** A multiple of the coarsest stride. Throws {@link InvalidParameter}. */
function sideOf(knobs: Knobs): number {
  const side = countKnob(knobs, 'side', coarsest);
  if (side % coarsest === 0) return side;
  throw new InvalidParameter(`knob "side" is not a multiple of ${coarsest}`, { detail: `It is ${side}.` });
}

export const backboneKnobs = (knobs: Knobs): BackboneSize => ({
  width: countKnob(knobs, 'width'),
  blocks: countKnob(knobs, 'blocks'),
});

/** About a second on one core; four steps of 16 images of 160×160 pixels at width 32. */
function stepsPerRun(knobs: Knobs): number {
  const pixels = countKnob(knobs, 'batch') * sideOf(knobs) ** 2;
  const steps = Math.round((4 * 16 * 160 ** 2 * 32) / (pixels * countKnob(knobs, 'width')));
  return Math.min(8, Math.max(1, steps));
}

const detectionRecipe = (knobs: Knobs): Recipe => ({
  optimiser: 'adamw',
  ...trainingKnobs(knobs),
  momentum: 0,
  dropout: 0,
  labelSmoothing: 0,
  schedule: { kind: 'cosine', warmUp: 0.05 },
  averageDecay: 0.997,
  stepsPerRun: stepsPerRun(knobs),
  stepsPerEpoch: 64,
});

async function fitScenes({ inputs, labels, classes }: FitData, knobs: Knobs): Promise<FittedFeatures> {
  const state = await fitPixels(inputs, sideOf(knobs));
  return { encoder: 'stretched', classes: [...classes], state: { ...state, objects: objectsOf(labels) } };
}

function objectsOf(labels: Labels): number {
  const max = Math.max(...boxLabels(labels).map((boxes) => boxes.length));
  return Math.min(MAX_OBJECTS, Math.max(MIN_OBJECTS, 2 * max));
}

/** What all detectors share. */
export const detectorBasics = {
  input: 'image',
  outputs: ['boxes'],
  smaller: (knobs) => narrower(knobs, widths),
  fit: fitScenes,
  recipe: detectionRecipe,
  trainingRows: sceneRows,
} satisfies Partial<NetworkFamily>;
