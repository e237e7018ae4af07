import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { checkImage, sampleImage } from '../../../src/features/images.ts';
import { checkScans } from '../../../src/features/jpeg-scans.ts';

const segment = (marker: number, ...bytes: number[]): number[] => [0xff, marker, 0, bytes.length + 2, ...bytes];
const END = [0xff, 0xd9];

/** A grey progressive JPEG of 8 × 8 pixels: a scan for the mean, then scans that make one coefficient more precise, bit by bit. */
function manyScans(scans: number): Uint8Array {
  const codes = (table: number, symbol: number): number[] =>
    segment(0xc4, table, 1, ...new Array<number>(15).fill(0), symbol);
  const head = [0xff, 0xd8].concat(
    segment(0xdb, 0, ...new Array<number>(64).fill(1)),
    segment(0xc2, 8, 0, 8, 0, 8, 1, 1, 0x11, 0),
    codes(0x00, 0),
    codes(0x10, 0), // its only symbol ends a block
    segment(0xda, 1, 1, 0, 0, 0, 0),
    [0x7f],
  );
  const refinements = Array.from({ length: scans - 1 }, (_, i) => {
    const coefficient = 1 + (Math.floor(i / 14) % 63);
    const bit = 13 - (i % 14);
    const precision = bit === 13 ? bit : ((bit + 1) << 4) | bit;
    return [...segment(0xda, 1, 1, 0, coefficient, coefficient, precision), 0x7f];
  });
  return Uint8Array.from([...head, ...refinements.flat(), ...END]);
}

describe('a JPEG', () => {
  it('of hundreds of scans is refused before it is decoded, in words', async () => {
    await expect(checkImage(manyScans(300))).rejects.toMatchObject({
      sqlstate: '22000',
      message: 'an image has too many scans',
      detail: expect.stringContaining('more than 100 scans'),
      hint: expect.stringContaining('Save it again'),
    });
    expect(() => checkScans(manyScans(101))).toThrowError('too many scans');
  });

  it('of a hundred scans is read, and so is a progressive photograph', async () => {
    expect(await checkImage(manyScans(100))).toEqual({ width: 8, height: 8 });
    const photograph = await sharp(await sampleImage())
      .jpeg({ progressive: true })
      .toBuffer();
    expect(await checkImage(photograph)).toEqual({ width: 256, height: 256 });
  });

  it('is not refused for what is in its segments, in restarts, or after its end', () => {
    const scan = segment(0xda, 1, 1, 0, 0, 63, 0);
    const scans = Array.from({ length: 200 }, () => scan).flat();
    const length = 2 + scans.length;
    const thumbnail = [0xff, 0xe1, length >> 8, length & 255, ...scans];
    const rows = [0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56];
    const start = [0xff, 0xd8];
    expect(() =>
      checkScans(Uint8Array.from([...start, ...thumbnail, ...scan, ...rows, ...END, ...scans])),
    ).not.toThrow();
  });

  it('hides no scan behind restarts, fill bytes or bytes that belong to nothing', () => {
    const between = [0x12, 0xff, 0x00, 0xff, 0xd3, 0x34, 0xff, 0xff];
    const scan = [...between, ...segment(0xda, 1, 1, 0, 0, 63, 0)];
    const scans = Array.from({ length: 101 }, () => scan).flat();
    expect(() => checkScans(Uint8Array.from([0xff, 0xd8, ...scans]))).toThrowError('too many scans');
  });

  it('that is cut off anywhere is looked at to its end, once', () => {
    const file = manyScans(3);
    for (let length = 0; length <= file.length; length++) {
      expect(() => checkScans(file.subarray(0, length))).not.toThrow();
    }
    const filler = new Uint8Array(32 * 2 ** 20).fill(0xff);
    const beganMs = performance.now();
    checkScans(filler);
    expect(performance.now() - beganMs).toBeLessThan(5000); // 0.1 s where nothing else runs
  });
});
