import { frameInput } from '../domain/kinds/detection.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { FittedFeatures } from '../domain/training.ts';
import type { Encoder } from './encoder.ts';
import { decodeWhole, outsidePixel, type Picture } from './images.ts';
import { createPictureEncoder } from './pictures.ts';
import { readInteger } from './state.ts';

const colours = 3;

/** Numbers of a frame: left, top, pixels of the source in one of the input, width and height of the source. */
const frameSize = 5;

/**
 * How detectors of version 0.1.0 read images; for newer ones see `stretched.ts`. Image files → `image`
 * [N, 3, side, side], uint8, the whole image centred in a grey square, and `frame` [N, 5], float32, its position there,
 * so that a detector can answer in source pixels.
 */
export function createSceneEncoder(features: FittedFeatures): Encoder {
  const side = readInteger(features.state, 'side');
  return createPictureEncoder({
    decode: (file) => decodeWhole(file, side, 'inside'),
    batch: (pictures) => squares(pictures, side),
  });
}

function squares(pictures: readonly Picture[], side: number): Record<string, TensorData> {
  const rows = pictures.length;
  const image = new Uint8Array(rows * colours * side * side).fill(outsidePixel);
  const frames = new Float32Array(rows * frameSize);
  pictures.forEach((picture, row) => {
    const { width, height, source } = picture;
    const [left, top] = [(side - width) >> 1, (side - height) >> 1];
    copyPixels(picture, image.subarray(row * colours * side * side, (row + 1) * colours * side * side), {
      side,
      left,
      top,
    });
    const scale = Math.max(source.width, source.height) / side;
    frames.set([left, top, scale, source.width, source.height], row * frameSize);
  });
  return {
    image: { dtype: 'uint8', shape: [rows, colours, side, side], data: image },
    [frameInput]: { dtype: 'float32', shape: [rows, frameSize], data: frames },
  };
}

/** Copies interleaved pixels into planes. */
function copyPixels(
  { pixels, width, height }: Picture,
  planes: Uint8Array,
  { side, left, top }: { side: number; left: number; top: number },
): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * colours;
      const to = (top + y) * side + left + x;
      for (let colour = 0; colour < colours; colour++)
        planes[colour * side * side + to] = pixels[from + colour] as number;
    }
  }
}
