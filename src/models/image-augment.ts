import type { TensorData } from '../domain/tensor.ts';
import type { Rng } from '../runtime/rng.ts';

export interface Augmentation {
  /** Most pixels that an image is moved along each axis: a crop of the image with such a margin around it. */
  shift: number;
  /** Whether half of the images are mirrored. */
  flip: boolean;
  /** Side of the square that is blotted out (DeVries and Taylor 2017). */
  cutout: number;
}

/** What stands where there is no image: about the mean of any colour. */
const grey = 128;

/** Moves, mirrors and blots each image of a batch [N, 3, H, W] of bytes in place. */
export function augmentImages(image: TensorData | undefined, { shift, flip, cutout }: Augmentation, rng: Rng): void {
  if (!(image?.data instanceof Uint8Array)) return;
  const [rows = 0, colours = 0, height = 0, width = 0] = image.shape;
  const plane = new Uint8Array(height * width);
  for (let row = 0; row < rows; row++) {
    const move = { down: offset(shift, rng), right: offset(shift, rng), mirrored: flip && rng.uniform() < 0.5 };
    const hole = { top: rng.below(height), left: rng.below(width), side: cutout };
    for (let colour = 0; colour < colours; colour++) {
      const start = (row * colours + colour) * height * width;
      const own = image.data.subarray(start, start + height * width);
      plane.set(own);
      place(plane, own, { width, height, ...move });
      blot(own, { width, height, ...hole });
    }
  }
}

const offset = (most: number, rng: Rng): number => (most === 0 ? 0 : rng.below(2 * most + 1) - most);

interface Move {
  width: number;
  height: number;
  down: number;
  right: number;
  mirrored: boolean;
}

function place(from: Uint8Array, to: Uint8Array, { width, height, down, right, mirrored }: Move): void {
  to.fill(grey);
  for (let y = Math.max(0, down); y < Math.min(height, height + down); y++) {
    for (let x = Math.max(0, right); x < Math.min(width, width + right); x++) {
      const column = mirrored ? width - 1 - (x - right) : x - right;
      to[y * width + x] = from[(y - down) * width + column] as number;
    }
  }
}

/** The square's middle lies anywhere in the image, so that it may reach over the edge. */
function blot(
  pixels: Uint8Array,
  { width, height, top, left, side }: { width: number; height: number; top: number; left: number; side: number },
): void {
  const half = Math.floor(side / 2);
  for (let y = Math.max(0, top - half); y < Math.min(height, top - half + side); y++) {
    pixels.fill(grey, y * width + Math.max(0, left - half), y * width + Math.min(width, left - half + side));
  }
}
