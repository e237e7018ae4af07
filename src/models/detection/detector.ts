import { frameInput, objectsTarget } from '../../domain/kinds/detection.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { type PixelState, pixelState } from '../../features/pixels.ts';
import { frameSize } from '../../features/scenes.ts';
import { readInteger } from '../../features/state.ts';
import type { Value } from '../../graph/graph.ts';
import type { Network, ParameterSpec, Values } from '../../graph/network.ts';
import type { Tape } from '../../graph/tape.ts';
import { imageInput } from '../image/input.ts';
import { detectionsAnswer, type Findings } from './answer.ts';

/** What a detector is built for. */
export interface DetectionTask {
  image: PixelState;
  classes: number;
  /** Objects of an image that training looks at. */
  objects: number;
}

/** A network that finds objects, by its loss and by what it thinks of each of its places. */
export interface Detector {
  task: DetectionTask;
  parameters: Readonly<Record<string, ParameterSpec>>;
  loss(t: Tape, step: DetectorStep): Value;
  find(t: Tape, inputs: Values, weights: Values): Omit<Findings, 'frame'>;
}

export interface DetectorStep {
  inputs: Values;
  /** [N, M, 5]: class (−1 in unused rows), left, top, right, bottom. */
  objects: Value;
  weights: Values;
}

/** Fed with images and frames, trained on objects; answers with detections in source pixels. */
export function detector({ task, parameters, loss, find }: Detector): Network {
  return {
    parameters,
    inputs: { ...imageInput(task.image.side), [frameInput]: { shape: [frameSize], dtype: 'float32' } },
    targets: { [objectsTarget]: { shape: [task.objects, 5], dtype: 'float32' } },
    loss: (t, { inputs, targets, parameters: weights }) =>
      loss(t, { inputs, objects: targets.of(objectsTarget), weights }),
    answer: (t, inputs, weights) =>
      detectionsAnswer(t.graph, { ...find(t, inputs, weights), frame: inputs.of(frameInput) }),
  };
}

export const detectionTask = (features: FittedFeatures): DetectionTask => ({
  image: pixelState(features),
  classes: features.classes.length,
  objects: readInteger(features.state, 'objects'),
});
