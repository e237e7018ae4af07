import { frameInput, frameSize } from '../domain/kinds/detection.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { FittedFeatures } from '../domain/training.ts';
import type { Encoder } from './encoder.ts';
import { decodeWhole, type Picture, toPlanes } from './images.ts';
import { createPictureEncoder } from './pictures.ts';
import { readInteger } from './state.ts';

const colours = 3;

/**
 * Image files for object detection → `image` [N, 3, side, side], uint8, each whole image stretched to a square, and
 * `frame` [N, 2], float32, its original width and height, so that a detector can answer in source pixels.
 */
export function createStretchedEncoder(features: FittedFeatures): Encoder {
  const side = readInteger(features.state, 'side');
  return createPictureEncoder({
    decode: (file) => decodeWhole(file, side, 'fill'),
    batch: (pictures) => squares(pictures, side),
  });
}

function squares(pictures: readonly Picture[], side: number): Record<string, TensorData> {
  const size = colours * side * side;
  const image = new Uint8Array(pictures.length * size);
  const frames = new Float32Array(pictures.length * frameSize);
  pictures.forEach(({ pixels, source }, row) => {
    toPlanes(pixels, image.subarray(row * size, (row + 1) * size));
    frames.set([source.width, source.height], row * frameSize);
  });
  return {
    image: { dtype: 'uint8', shape: [pictures.length, colours, side, side], data: image },
    [frameInput]: { dtype: 'float32', shape: [pictures.length, frameSize], data: frames },
  };
}
