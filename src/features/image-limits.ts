import type { Metadata } from 'sharp';
import { BadData } from '../errors/errors.ts';

/** Above the images of phones and most cameras. */
export const MAX_PIXELS = 50e6;

/**
 * The AV1 decoder and the following conversion take 15 to 25 bytes per pixel, other formats at most 9: 20 million
 * pixels fill the budget.
 */
export const MAX_AVIF_PIXELS = 20e6;

/** WebP's own limit. The decoder's memory grows with the width, to 4 GB for ten million pixels in five rows. */
export const MAX_SIDE = 16_383;

/** The largest side of what a pretrained encoder reads. */
export const MAX_INPUT_SIDE = 1024;

const MIB = 2 ** 20;

/** Throws BadData for a too large image, from its header, before decoding. */
export function checkLimits({ width, height, format }: Metadata): void {
  const limit = format === 'heif' ? MAX_AVIF_PIXELS : MAX_PIXELS;
  const size = `It has ${width} × ${height} pixels`;
  if (width * height > limit) {
    throw tooLarge(`${size}; the limit is ${limit / 1e6} million${format === 'heif' ? ' for AVIF' : ''}.`);
  }
  if (Math.max(width, height) > MAX_SIDE) throw tooLarge(`${size}; the limit is ${MAX_SIDE} per side.`);
}

const tooLarge = (detail: string): BadData =>
  new BadData('an image is too large', { detail, hint: 'Reduce its size: a model uses far fewer pixels.' });

/**
 * An upper estimate of the memory for decoding, bytes. The factors were measured with 50 million pixels (16 million for
 * AVIF), of noise and of one colour, at depths of 8 and 16 bits.
 */
export function decodeBytes({ width, height, format, channels, depth, isProgressive }: Metadata): number {
  const pixels = width * height;
  const sampleBytes = SAMPLE_BYTES[depth] ?? 1;
  const pixelBytes = channels * sampleBytes;
  const rows = width * (1000 * pixelBytes + 4000); // of an image that is read row by row, and resized
  if (format === 'jpeg') return 2 * channels * pixels + rows; // all coefficients if there are several scans
  if (format === 'png') return (isProgressive ? pixelBytes * pixels : 0) + rows;
  if (format === 'webp') return 8 * pixels + rows; // lossless: the whole image, and a copy unless it is shrunk while loading
  if (format === 'gif') return 9 * pixels + rows; // the image, and a copy to restore
  if (format === 'heif') return 25 * pixels + rows;
  return (pixelBytes + sampleBytes) * pixels + rows + 100 * MIB; // TIFF: joined planes, tiles beyond the image
}

const SAMPLE_BYTES: Record<string, number> = { ushort: 2, short: 2, uint: 4, int: 4, float: 4, double: 8, complex: 8 };
