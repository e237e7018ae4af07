import sharp from 'sharp';
import { BadData } from '../errors/errors.ts';

/** Images in the decoder at once: it has four threads, and each image takes a few times its pixels in memory. */
const atOnce = 16;

/**
 * JPEG, PNG, WebP and the like, of any size, grey or in colour → [N, 3, side, side] bytes of red, green, blue planes.
 * Turned as their EXIF says; the longer side is cut on both ends, so that shapes keep their proportions.
 */
export async function decodeImages(files: readonly Uint8Array[], side: number): Promise<Uint8Array> {
  const size = 3 * side * side;
  const pixels = new Uint8Array(files.length * size);
  for (let first = 0; first < files.length; first += atOnce) {
    const group = files.slice(first, first + atOnce);
    await Promise.all(
      group.map(async (file, i) => {
        const row = first + i;
        toPlanes(await decode(file, { side, row }), pixels.subarray(row * size, (row + 1) * size));
      }),
    );
  }
  return pixels;
}

/** Interleaved red, green, blue of side × side pixels. */
async function decode(file: Uint8Array, { side, row }: { side: number; row: number }): Promise<Uint8Array> {
  try {
    return await sharp(file, { autoOrient: true })
      .resize(side, side, { fit: 'cover' })
      .flatten({ background: 'white' })
      .toColourspace('srgb')
      .raw()
      .toBuffer();
  } catch (cause) {
    throw new BadData('an image cannot be read', {
      detail: `image ${row + 1}, ${file.length} bytes: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'The column must hold whole image files: JPEG, PNG, WebP, GIF, AVIF or TIFF.',
      cause,
    });
  }
}

function toPlanes(interleaved: Uint8Array, planes: Uint8Array): void {
  const plane = planes.length / 3;
  for (let i = 0; i < plane; i++) {
    for (let colour = 0; colour < 3; colour++) planes[colour * plane + i] = interleaved[3 * i + colour] as number;
  }
}
