import { BadData } from '../errors/errors.ts';

/**
 * A photograph has one scan, a progressive one about ten. Each processes the whole image, for a few bytes: 323 KB with
 * 1,500 scans took three minutes; a hundred over 50 million pixels take six seconds. The decoder checks its time limit
 * between rows only, and not before the last scan.
 */
export const MAX_JPEG_SCANS = 100;

const MARK = 0xff;
const STUFFED = 0x00;
const TEMPORARY = 0x01;
const [FIRST_RESTART, LAST_RESTART] = [0xd0, 0xd7];
const END_OF_IMAGE = 0xd9;
const START_OF_SCAN = 0xda;

/** Throws BadData for a JPEG that takes far longer to decode than its size suggests. */
export function checkScans(jpeg: Uint8Array): void {
  if (countScans(jpeg, MAX_JPEG_SCANS + 1) <= MAX_JPEG_SCANS) return;
  throw new BadData('an image has too many scans', {
    detail: `It is a progressive JPEG of more than ${MAX_JPEG_SCANS} scans, each of which processes the whole image.`,
    hint: 'Save it again with an image program: a progressive JPEG normally has about ten scans.',
  });
}

/**
 * Number of scans of a JPEG, at most `max`. Finds markers as the decoder does, skipping bytes between segments. Content
 * within segments, such as a thumbnail, and after the end does not count.
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
