import { BadData } from '../errors/errors.ts';

/**
 * A photograph has one scan, a progressive one some ten. Each goes over the whole image, for a few bytes: 323 KB of 1,500 scans
 * took three minutes, a hundred over 50 million pixels take six seconds. The decoder looks at its time limit only between rows,
 * and has none before the last scan.
 */
const MAX_SCANS = 100;

const MARK = 0xff;
const STUFFED = 0x00;
const TEMPORARY = 0x01;
const [FIRST_RESTART, LAST_RESTART] = [0xd0, 0xd7];
const END_OF_IMAGE = 0xd9;
const START_OF_SCAN = 0xda;

/** Refuses a JPEG that takes far longer to decode than its size says. */
export function checkScans(jpeg: Uint8Array): void {
  if (countScans(jpeg, MAX_SCANS + 1) <= MAX_SCANS) return;
  throw new BadData('an image has too many scans', {
    detail: `It is a progressive JPEG of more than ${MAX_SCANS} scans, each of which goes over the whole image.`,
    hint: 'Save it anew, as any program does: a progressive JPEG has some ten scans.',
  });
}

/**
 * Scans of a JPEG, `most` where it has more: markers are found as the decoder finds them, which passes over whatever is
 * between segments. What is within a segment, such as a thumbnail, or after the end counts for nothing.
 */
function countScans(jpeg: Uint8Array, max: number): number {
  let scans = 0;
  let at = 2; // after the start of the image
  while (scans < max) {
    while (at < jpeg.length && jpeg[at] !== MARK) at++;
    while (jpeg[at] === MARK) at++;
    const marker = jpeg[at++];
    if (marker === undefined || marker === END_OF_IMAGE) break;
    if (hasNoLength(marker)) continue;
    if (marker === START_OF_SCAN) scans++;
    at += ((jpeg[at] ?? 0) << 8) | (jpeg[at + 1] ?? 0);
  }
  return scans;
}

const hasNoLength = (marker: number): boolean =>
  marker === STUFFED || marker === TEMPORARY || (marker >= FIRST_RESTART && marker <= LAST_RESTART);
