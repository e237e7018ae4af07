import type { TensorData } from '../../domain/tensor.ts';
import { grey } from '../../features/scenes.ts';
import type { Rng } from '../../runtime/rng.ts';
import { recolour } from './colour.ts';
import { move, turn } from './move.ts';

export interface Augmentation {
  /** Most pixels that an image is moved along each axis: a crop of the image with such a margin around it. */
  shift: number;
  /** Whether half of the images are mirrored. */
  flip: boolean;
  /** Most degrees by which an image is turned, to either side. */
  rotation: number;
  /** Most by which brightness, contrast and saturation change, each by a factor of 1 ± `colour`. */
  colour: number;
  /** Side of the square that is blotted out (DeVries and Taylor 2017). */
  cutout: number;
}

/**
 * Changes each image of a batch [N, 3, H, W] of bytes in place: 0.6 ms for 64 of 32×32 with moves alone, 3 ms with all of
 * it, where the shortest step of the zoo takes 71 on the same core (`bench augment`).
 */
export function augmentImages(image: TensorData | undefined, augmentation: Augmentation, rng: Rng): void {
  if (!(image?.data instanceof Uint8Array)) return;
  const { shift, flip, rotation, colour, cutout } = augmentation;
  const [rows = 0, colours = 0, height = 0, width = 0] = image.shape;
  const size = { width, height };
  const length = colours * height * width;
  const before = new Uint8Array(length);
  for (let row = 0; row < rows; row++) {
    const own = image.data.subarray(row * length, (row + 1) * length);
    if (colour > 0) {
      const factor = (): number => near(1, colour, rng);
      recolour(own, { brightness: factor(), contrast: factor(), saturation: factor() });
    }
    const placed = { down: offset(shift, rng), right: offset(shift, rng), mirrored: flip && rng.uniform() < 0.5 };
    before.set(own);
    if (rotation > 0) turn(before, own, { ...size, ...placed, degrees: near(0, rotation, rng) });
    else move(before, own, { ...size, ...placed });
    if (cutout > 0) blot(own, { ...size, top: rng.below(height), left: rng.below(width), side: cutout });
  }
}

const offset = (max: number, rng: Rng): number => (max === 0 ? 0 : rng.below(2 * max + 1) - max);

const near = (middle: number, max: number, rng: Rng): number => middle + max * (2 * rng.uniform() - 1);

/** The square's middle lies anywhere in the image, so that it may reach over the edge. */
function blot(
  pixels: Uint8Array,
  { width, height, top, left, side }: { width: number; height: number; top: number; left: number; side: number },
): void {
  const half = Math.floor(side / 2);
  const [first, last] = [Math.max(0, left - half), Math.min(width, left - half + side)];
  for (let start = 0; start < pixels.length; start += width * height) {
    for (let y = Math.max(0, top - half); y < Math.min(height, top - half + side); y++) {
      pixels.fill(grey, start + y * width + first, start + y * width + last);
    }
  }
}
