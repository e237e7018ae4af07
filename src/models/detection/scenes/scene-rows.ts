import type { Knobs } from '../../../domain/hyper-space.ts';
import {
  boxLabels,
  framed,
  frameInput,
  frameSize,
  objectsTarget,
  objectsTensor,
} from '../../../domain/kinds/detection.ts';
import type { Examples } from '../../../domain/task.ts';
import { filesOf } from '../../../features/encoder.ts';
import { decodeWhole, inGroups } from '../../../features/images.ts';
import { pixelState } from '../../../features/pixels.ts';
import type { Draw, Fitted, TrainingRows } from '../../family.ts';
import { numberKnob } from '../../knobs.ts';
import { pyramidOf } from '../scale-pyramid.ts';
import { compose, type Scene, type SceneKnobs } from './compose.ts';

/** Side of decoded training images relative to the network's input, so that zooming in does not blur. */
const OVERSAMPLING = 1.5;

/** Share of training with mosaics; the rest uses whole images, as in prediction (Ge et al. 2021, YOLOX). */
const MOSAIC_SHARE = 0.85;

/** Training images and their boxes, with a new random position, colour and mosaic in each step. */
export async function sceneRows(
  { inputs, labels }: Examples,
  { features, knobs, network }: Fitted,
): Promise<TrainingRows> {
  const { side } = pixelState(features);
  const boxes = boxLabels(labels);
  const pictures = await inGroups(filesOf(inputs), (file) =>
    decodeWhole(file, Math.round(side * OVERSAMPLING), 'fill'),
  );
  const scenes = pictures.map((picture, row): Scene => {
    const objects = framed(boxes[row] ?? [], picture.source, picture.width);
    return { levels: pyramidOf(picture), objects };
  });
  const max = Number(network.targets[objectsTarget]?.shape[0]);
  return {
    count: scenes.length,
    length: () => 1,
    batch(rows, draw) {
      const image = new Uint8Array(rows.length * 3 * side * side);
      const objects = Array.from(rows, (row, i) => {
        const planes = new Uint8ClampedArray(image.buffer, i * 3 * side * side, 3 * side * side);
        return compose(scenes, row, { planes, side, rng: draw.rng, ...settingsOf(knobs, draw) });
      });
      return {
        inputs: {
          image: { dtype: 'uint8', shape: [rows.length, 3, side, side], data: image },
          [frameInput]: {
            dtype: 'float32',
            shape: [rows.length, frameSize],
            data: new Float32Array(rows.length * frameSize),
          },
        },
        targets: { [objectsTarget]: objectsTensor(objects, max) },
      };
    },
  };
}

const settingsOf = (knobs: Knobs, { progress }: Draw): SceneKnobs => ({
  flip: knobs['flip'] === true,
  zoom: numberKnob(knobs, 'zoom'),
  aspect: numberKnob(knobs, 'aspect'),
  colour: numberKnob(knobs, 'colour'),
  mosaic: progress < MOSAIC_SHARE ? numberKnob(knobs, 'mosaic') : 0,
});
