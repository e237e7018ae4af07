import type { Metadata, OutputInfo, Sharp, SharpConstructor } from 'sharp';
import type { ImageSize } from '../domain/task.ts';
import { BadData } from '../errors/errors.ts';
import { DECODE_BYTES, DecodeBudget } from './decode-budget.ts';
import { checkLimits, decodeBytes, MAX_PIXELS } from './image-limits.ts';
import { checkScans } from './jpeg-scans.ts';
import { type PictureFit, resample } from './pretrained/resample.ts';

/** Concurrently processed images: the decoder has four threads and a memory budget. */
const MAX_CONCURRENT = 16;

/**
 * The slowest image within the limits, AVIF with 20 million pixels of noise, took 10 s; interlaced PNG with 50 million
 * 5 s.
 */
const TIME_LIMIT_SECONDS = 30;

// Only photo formats: libvips also reads formats that interpret a language (SVG, PDF) or call other libraries.
const loaders = ['JpegBuffer', 'PngBuffer', 'WebpBuffer', 'NsgifBuffer', 'HeifBuffer', 'TiffBuffer'];

let loaded: Promise<SharpConstructor> | undefined;

/** Loaded with the first image: processes for texts and tables start sooner without. */
const decoder = (): Promise<SharpConstructor> => (loaded ??= loadDecoder());

async function loadDecoder(): Promise<SharpConstructor> {
  const { default: sharp } = await import('sharp');
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: loaders.map((format) => `VipsForeignLoad${format}`) });
  sharp.cache(false); // no image is decoded twice
  sharp.concurrency(1); // each of the four threads would start further threads with buffers
  return sharp;
}

const budget = new DecodeBudget(DECODE_BYTES);

/**
 * JPEG, PNG, WebP and other files, of any size, grey or colour → [N, 3, side, side] bytes as red, green and blue
 * planes. Rotated according to EXIF; the longer side is cropped at both ends, so that proportions are kept.
 */
export async function decodeImages(files: readonly Uint8Array[], side: number): Promise<Uint8Array> {
  const size = 3 * side * side;
  const pixels = new Uint8Array(files.length * size);
  for (let first = 0; first < files.length; first += MAX_CONCURRENT) {
    const group = files.slice(first, first + MAX_CONCURRENT);
    await Promise.all(
      group.map(async (file, i) => {
        const row = first + i;
        toPlanes(await decode(file, side), pixels.subarray(row * size, (row + 1) * size));
      }),
    );
  }
  return pixels;
}

/**
 * The size of an image after rotation according to EXIF. Decodes the whole file, so that a truncated one is detected.
 */
export async function checkImage(file: Uint8Array): Promise<ImageSize> {
  return decodeWith(file, async (image, { autoOrient }) => {
    await image.resize(probeSide, probeSide, { fit: 'fill' }).raw().toBuffer(); // small, so that JPEG decodes to an eighth
    return autoOrient;
  });
}

const probeSide = 8;

/** A decoded image: interleaved red, green, blue, and its original size. */
export interface Picture extends ImageSize {
  pixels: Uint8Array;
  source: ImageSize;
}

/** The whole image, rotated upright: with its longer side of `side` pixels ('inside'), or stretched to a square ('fill'). */
export async function decodeWhole(file: Uint8Array, side: number, fit: 'inside' | 'fill'): Promise<Picture> {
  return decodeWith(file, async (image, { autoOrient: source }) => {
    const { data, info } = await rawOf(image.resize(side, side, { fit }));
    return { pixels: data, width: info.width, height: info.height, source };
  });
}

/** Per axis, of pixels that are needed: more are averaged before, in native code. */
const MAX_OVERSAMPLING = 2;

/** An image, rotated upright, in the size that `fitOf` gives for its own. */
export async function decodeFitted(file: Uint8Array, fitOf: (source: ImageSize) => PictureFit): Promise<Picture> {
  return decodeWith(file, async (image, { autoOrient: source }) => {
    const fit = fitOf(source);
    const width = Math.min(source.width, MAX_OVERSAMPLING * fit.width);
    const height = Math.min(source.height, MAX_OVERSAMPLING * fit.height);
    const isSmaller = width < source.width || height < source.height;
    const { data } = await rawOf(isSmaller ? image.resize(width, height, { fit: 'fill' }) : image);
    const { part = fit } = fit;
    return { pixels: resample(data, { width, height }, fit), width: part.width, height: part.height, source };
  });
}

/** Interleaved red, green and blue of exactly this size: the middle of the image, or all of it stretched. */
export const decodeSized = (
  file: Uint8Array,
  { width, height }: ImageSize,
  fit: 'cover' | 'fill',
): Promise<Uint8Array> => decodeWith(file, async (image) => (await rawOf(image.resize(width, height, { fit }))).data);

/** Interleaved red, green and blue; what was transparent is white. */
const rawOf = (image: Sharp): Promise<{ data: Buffer; info: OutputInfo }> =>
  image.flatten({ background: 'white' }).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });

/** An image file of a decoded image, without loss. */
export async function pictureFile({ pixels, width, height }: Picture): Promise<Buffer> {
  const sharp = await decoder();
  const image = sharp(pixels, { raw: { width, height, channels: 3 } });
  return image.png({ compressionLevel: 0 }).toBuffer();
}

/**
 * Checks the header, throws BadData for images that are too large or slow to decode, and decodes when there is memory.
 * Of several pages only the first is used.
 */
async function decodeWith<T>(file: Uint8Array, work: (image: Sharp, header: Metadata) => Promise<T>): Promise<T> {
  const sharp = await decoder();
  try {
    const header = await sharp(file, { limitInputPixels: false }).metadata(); // with a limit there is an error without the size
    checkLimits(header);
    if (header.format === 'jpeg') checkScans(file);
    const image = sharp(file, { autoOrient: true, limitInputPixels: MAX_PIXELS, page: 0, pages: 1 });
    return await budget.run(decodeBytes(header), () => work(image.timeout({ seconds: TIME_LIMIT_SECONDS }), header));
  } catch (cause) {
    throw cause instanceof BadData ? cause : unreadable(file, cause);
  }
}

/** Value of each colour outside an image: about the mean of pixels. */
export const outsidePixel = 128;

/** Results in order, with bounded concurrency. */
export async function inGroups<T>(
  files: readonly Uint8Array[],
  decodeOne: (file: Uint8Array) => Promise<T>,
): Promise<T[]> {
  const decoded: T[] = [];
  for (let first = 0; first < files.length; first += MAX_CONCURRENT) {
    decoded.push(...(await Promise.all(files.slice(first, first + MAX_CONCURRENT).map(decodeOne))));
  }
  return decoded;
}

/** An image of noise, which is slow to decode. */
export async function sampleImage({ width, height }: ImageSize = { width: 256, height: 256 }): Promise<Buffer> {
  const sharp = await decoder();
  const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
  return sharp({ create: { width, height, channels: 3, background: 'grey', noise } })
    .jpeg()
    .toBuffer();
}

/** Interleaved red, green, blue of side × side pixels. */
const decode = (file: Uint8Array, side: number): Promise<Uint8Array> =>
  decodeSized(file, { width: side, height: side }, 'cover');

/** Interleaved red, green and blue to planes. */
export function toPlanes(interleaved: Uint8Array, planes: Uint8Array): void {
  const plane = planes.length / 3;
  for (let i = 0; i < plane; i++) {
    for (let colour = 0; colour < 3; colour++) planes[colour * plane + i] = interleaved[3 * i + colour] as number;
  }
}

const unreadable = (file: Uint8Array, cause: unknown): BadData =>
  new BadData('an image cannot be read', {
    detail: `It has ${file.length} bytes; the decoder reports: ${reasonOf(cause)}.`,
    hint: 'Use a whole image file: JPEG, PNG, WebP, GIF, AVIF or TIFF.',
    cause,
  });

/** The first line, without the full stop. */
function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return (text.split('\n')[0] ?? '').replace(/\.$/, '');
}
