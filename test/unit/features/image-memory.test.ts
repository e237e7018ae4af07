import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DECODE_BYTES } from '../../../src/features/decode-budget.ts';
import { decodeBytes } from '../../../src/features/image-limits.ts';

const onLinux = process.platform === 'linux'; // where a process tells the most memory that it ever took

const MIB = 2 ** 20;
/** What a process grows by anyhow: code that is loaded, small buffers, files that are read. */
const SPARE = 48 * MIB;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-decode-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

interface MeasuredDecode {
  bytes: number;
  refused: string[];
}

async function measure(how: string, names: readonly string[]): Promise<MeasuredDecode> {
  const script = path.join(import.meta.dirname, '../../support/decode-memory.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, how, ...names]);
  return JSON.parse(stdout) as MeasuredDecode;
}

const plain = (width: number, height: number, channels: 3 | 4 = 3): Sharp =>
  sharp({ create: { width, height, channels, background: '#12345678' }, limitInputPixels: false });

async function fileOf(name: string, image: Sharp): Promise<string> {
  const file = path.join(dir, name);
  writeFileSync(file, await image.toBuffer());
  return file;
}

describe.skipIf(!onLinux)('an image that is too large', () => {
  it.each([
    ['of too many pixels', plain(9000, 9000).png({ progressive: true }), '9000 × 9000 pixels; the limit is 50 m'],
    [
      'AVIF of too many pixels',
      plain(5000, 4001).avif({ effort: 0 }),
      '5000 × 4001 pixels; the limit is 20 million for',
    ],
    ['with few rows, but wide', plain(1_000_000, 8).png(), '1000000 × 8 pixels; the limit is 16383 per side'],
    ['with few columns, but tall', plain(2, 16_384).png(), '2 × 16384 pixels; the limit is 16383 per side'],
  ])('%s is refused before it is decoded', async (_, image, reason) => {
    const file = await fileOf('large', image);
    const { bytes, refused } = await measure('whole', [file]);
    expect(refused).toEqual([expect.stringContaining(reason)]);
    expect(bytes).toBeLessThan(SPARE);
  });
});

describe.skipIf(!onLinux)('the memory of decoding', () => {
  it('stays within the budget for concurrent images', async () => {
    const laced = plain(5000, 4500, 4).toColourspace('rgb16').png({ progressive: true }); // 190 MiB each
    const file = await fileOf('laced', laced);
    const { bytes, refused } = await measure('check', new Array<string>(6).fill(file));
    expect(refused).toEqual([]);
    expect(bytes).toBeLessThan(DECODE_BYTES + SPARE);
  });

  it.each([
    ['progressive JPEG', plain(4000, 4000).jpeg({ progressive: true, chromaSubsampling: '4:4:4' })],
    ['interlaced PNG', plain(5000, 4000).png({ progressive: true })],
    ['interlaced PNG of 16 bits', plain(4000, 3000, 4).toColourspace('rgb16').png({ progressive: true })],
    ['wide PNG', plain(16_383, 500, 4).toColourspace('rgb16').png()],
    ['GIF', plain(4000, 4000).gif({ effort: 1 })],
    ['lossless WebP', plain(4000, 4000, 4).webp({ lossless: true, effort: 0 })],
    ['AVIF', plain(2500, 2500).avif({ effort: 0 })],
    ['AVIF of 12 bits', plain(2000, 2000, 4).toColourspace('rgb16').avif({ effort: 0, bitdepth: 12 })],
    ['tiled TIFF', plain(5000, 4000).tiff({ compression: 'jpeg', tile: true, tileWidth: 4096, tileHeight: 4096 })],
  ])('is no more than was counted for it: %s', async (_, image) => {
    const file = await fileOf('counted', image);
    const counted = decodeBytes(await sharp(readFileSync(file)).metadata());
    const { bytes, refused } = await measure('whole', [file]);
    expect(refused).toEqual([]);
    expect(bytes).toBeLessThan(counted + SPARE);
  });
});
