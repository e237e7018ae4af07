import type { ImageSize } from '../domain/task.ts';
import { checkImage, decodeWhole, type Picture, pictureFile } from '../features/images.ts';
import type { Explained } from './member.ts';

/** Patches of a side of an image. */
const PATCHES = 6;
/** Longer sides are made as long, in pixels: models read at most half as many. */
const MAX_SIDE = 512;

/** A rectangle of an image, in pixels of the upright image from its top left corner. */
export interface Patch {
  x: number;
  y: number;
  w: number;
  h: number;
}

/** The parts of an image, row by row. */
export function patchesOf({ width, height }: ImageSize): Patch[] {
  const across = cuts(width);
  const down = cuts(height);
  return down
    .slice(1)
    .flatMap((bottom, row) =>
      across.slice(1).map((right, column) => patchBetween([across[column] ?? 0, down[row] ?? 0], [right, bottom])),
    );
}

const patchBetween = ([x, y]: readonly [number, number], [right, bottom]: readonly [number, number]): Patch => ({
  x,
  y,
  w: right - x,
  h: bottom - y,
});

/** Where a side is cut, from 0 to its length; a very short one has fewer patches. */
function cuts(length: number): number[] {
  const count = Math.max(1, Math.min(PATCHES, length));
  return Array.from({ length: count + 1 }, (_, i) => Math.round((i * length) / count));
}

/** An image file whose parts are patches; those that are missing have the mean colour of the image. Throws `BadData` for other files. */
export async function explainedImage(file: Uint8Array): Promise<Explained & { size: ImageSize }> {
  const size = await checkImage(file);
  const picture = await decodeWhole(file, Math.min(MAX_SIDE, Math.max(size.width, size.height)), 'inside');
  const patches = patchesOf(size).map((patch) => onPicture(patch, picture));
  const mean = meanColour(picture.pixels);
  return {
    input: file,
    size,
    parts: patches.length,
    async without(coalitions) {
      const files: Uint8Array[] = [];
      for (const known of coalitions) {
        const pixels = new Uint8Array(picture.pixels); // a copy, which `slice` of a buffer is not
        for (const [i, patch] of patches.entries()) if (known[i] !== 1) paint({ ...picture, pixels }, patch, mean);
        files.push(await pictureFile({ ...picture, pixels }));
      }
      return files;
    },
  };
}

/** Of a picture that is smaller than its source. */
function onPicture({ x, y, w, h }: Patch, { width, height, source }: Picture): Patch {
  const [across, down] = [width / source.width, height / source.height];
  const [left, top] = [Math.round(x * across), Math.round(y * down)];
  return { x: left, y: top, w: Math.round((x + w) * across) - left, h: Math.round((y + h) * down) - top };
}

function paint({ pixels, width }: Picture, { x, y, w, h }: Patch, colour: readonly number[]): void {
  for (let row = y; row < y + h; row++)
    for (let at = 3 * (row * width + x); at < 3 * (row * width + x + w); at += 3) pixels.set(colour, at);
}

/** Red, green and blue. */
function meanColour(pixels: Uint8Array): number[] {
  const sums = [0, 0, 0];
  for (const [i, value] of pixels.entries()) sums[i % 3] = (sums[i % 3] as number) + value;
  return sums.map((sum) => Math.round((3 * sum) / Math.max(1, pixels.length)));
}
