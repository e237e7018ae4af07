import type { Knobs } from '../../domain/hyper-space.ts';
import { frameInput, frameSize, objectsTarget } from '../../domain/kinds/detection.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { type PixelState, pixelState } from '../../features/pixels.ts';
import { readInteger } from '../../features/state.ts';
import type { Value } from '../../graph/graph.ts';
import type { Network, ParameterSpec, Values } from '../../graph/network.ts';
import type { Tape } from '../../graph/tape.ts';
import { imageInput } from '../image/input.ts';
import { detectionsAnswer } from './answer.ts';
import { type Candidates, findInBoth } from './mirror.ts';

/** The sizes that a detector is built for. */
export interface DetectionTask {
  image: PixelState;
  classes: number;
  /** Maximum objects of an image in training. */
  objects: number;
  /** Whether an answer has what is found in the image and in its mirror image. */
  mirrored: boolean;
}

/** A network that finds objects: its loss, and its predictions for each of its anchors. */
export interface Detector {
  task: DetectionTask;
  parameters: Readonly<Record<string, ParameterSpec>>;
  loss(t: Tape, step: DetectorStep): Value;
  predict(t: Tape, inputs: Values, weights: Values): Candidates;
}

interface DetectorStep {
  inputs: Values;
  /** [N, M, 5]: class (−1 in unused rows, −2 for objects that are mostly cut off), left, top, right, bottom. */
  objects: Value;
  weights: Values;
}

/** Fed with images and frames, trained on objects; answers with detections in source pixels. */
export function detector({ task, parameters, loss, predict }: Detector): Network {
  return {
    parameters,
    inputs: { ...imageInput(task.image.side), [frameInput]: { shape: [frameSize], dtype: 'float32' } },
    targets: { [objectsTarget]: { shape: [task.objects, 5], dtype: 'float32' } },
    loss: (t, { inputs, targets, parameters: weights }) =>
      loss(t, { inputs, objects: targets.of(objectsTarget), weights }),
    answer(t, inputs, weights) {
      const { side } = task.image;
      const find = (images: Values): Candidates => predict(t, images, weights);
      const found = task.mirrored ? findInBoth(t, inputs, { side, predict: find }) : find(inputs);
      return detectionsAnswer(t.graph, { ...found, frame: inputs.of(frameInput), side });
    },
  };
}

export const detectionTask = (features: FittedFeatures, knobs: Knobs): DetectionTask => ({
  image: pixelState(features),
  classes: features.classes.length,
  objects: readInteger(features.state, 'objects'),
  mirrored: knobs['flip'] === true && knobs['mirror_answers'] === true,
});
