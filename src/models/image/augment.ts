import type { TensorData } from '../../domain/tensor.ts';
import { outsidePixel } from '../../features/images.ts';
import type { Rng } from '../../runtime/rng.ts';
import { recolour } from './colour.ts';
import { rotateImage, shiftImage } from './move.ts';

export interface Augmentation {
  /** Maximum shift on each axis, pixels: a crop of the image with such a margin around it. */
  shift: number;
  /** Whether half of the images are mirrored. */
  flip: boolean;
  /** Maximum rotation to either side, degrees. */
  rotation: number;
  /** Maximum change of brightness, contrast and saturation, each by a factor of 1 ± `colour`. */
  colour: number;
  /** Side of the square that is cut out (DeVries and Taylor 2017). */
  cutout: number;
}

/**
 * Changes each image of a batch [N, 3, H, W] of bytes in place: 0.6 ms for 64 of 32×32 with shifts only, 3 ms with all
 * changes; the shortest step of the zoo takes 71 ms on the same core (`bench augment`).
 */
export function augmentImages(image: TensorData | undefined, augmentation: Augmentation, rng: Rng): void {
  if (!(image?.data instanceof Uint8Array)) return;
  const { shift, flip, rotation, colour, cutout } = augmentation;
  const [rows = 0, colours = 0, height = 0, width = 0] = image.shape;
  const size = { width, height };
  const length = colours * height * width;
  const before = new Uint8Array(length);
  for (let row = 0; row < rows; row++) {
    const pixels = image.data.subarray(row * length, (row + 1) * length);
    if (colour > 0) {
      const factor = (): number => around(1, colour, rng);
      recolour(pixels, { brightness: factor(), contrast: factor(), saturation: factor() });
    }
    const shiftOptions = { down: offset(shift, rng), right: offset(shift, rng), mirrored: flip && rng.uniform() < 0.5 };
    before.set(pixels);
    if (rotation > 0) rotateImage(before, pixels, { ...size, ...shiftOptions, degrees: around(0, rotation, rng) });
    else shiftImage(before, pixels, { ...size, ...shiftOptions });
    if (cutout > 0) cutOut(pixels, { ...size, top: rng.below(height), left: rng.below(width), side: cutout });
  }
}

const offset = (max: number, rng: Rng): number => (max === 0 ? 0 : rng.below(2 * max + 1) - max);

const around = (middle: number, max: number, rng: Rng): number => middle + max * (2 * rng.uniform() - 1);

/** The centre of the square is anywhere in the image, so that it may be partly outside. */
function cutOut(
  pixels: Uint8Array,
  { width, height, top, left, side }: { width: number; height: number; top: number; left: number; side: number },
): void {
  const half = Math.floor(side / 2);
  const [first, last] = [Math.max(0, left - half), Math.min(width, left - half + side)];
  for (let start = 0; start < pixels.length; start += width * height) {
    for (let y = Math.max(0, top - half); y < Math.min(height, top - half + side); y++) {
      pixels.fill(outsidePixel, start + y * width + first, start + y * width + last);
    }
  }
}
