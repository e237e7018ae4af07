import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { checkImage, decodeImages, sampleImage } from '../../../src/features/images.ts';
import { createPixelEncoder, fitPixels, pixelState } from '../../../src/features/pixels.ts';

const plain = (width: number, height: number, background: string): Sharp =>
  sharp({ create: { width, height, channels: 3, background } });
const red = (width = 8, height = 8): Sharp => plain(width, height, '#ff0000');

describe('decodeImages', () => {
  it('gives planes of red, green and blue for every format and size', async () => {
    const files = await Promise.all([red().png().toBuffer(), red(40, 20).webp({ lossless: true }).toBuffer()]);
    const pixels = await decodeImages(files, 4);
    const image = [...new Array<number>(16).fill(255), ...new Array<number>(32).fill(0)];
    expect(Array.from(pixels)).toEqual([...image, ...image]);
  });

  it('gives grey images three equal planes, and transparent ones a white ground', async () => {
    const grey = await plain(4, 4, '#808080').toColourspace('b-w').png().toBuffer();
    const clear = await sharp({ create: { width: 4, height: 4, channels: 4, background: '#00000000' } })
      .png()
      .toBuffer();
    const pixels = await decodeImages([grey, clear], 2);
    expect(Array.from(pixels)).toEqual([...new Array<number>(12).fill(128), ...new Array<number>(12).fill(255)]);
  });

  it('rotates an image by its EXIF orientation', async () => {
    const [left, right] = [await red(4, 8).png().toBuffer(), plain(8, 8, '#0000ff')];
    const sideways = right.composite([{ input: left, left: 0, top: 0 }]).jpeg({ quality: 100 });
    const file = await sideways.withMetadata({ orientation: 6 }).toBuffer(); // a quarter turn clockwise: left becomes top
    const pixels = await decodeImages([file], 8);
    expect(pixels[0]).toBeGreaterThan(200);
    expect(pixels[7]).toBeGreaterThan(200);
    expect(pixels[63]).toBeLessThan(50);
  });

  it('refuses what is no image, with its size', async () => {
    const good = await red().png().toBuffer();
    await expect(decodeImages([good, Uint8Array.of(1, 2, 3)], 8)).rejects.toMatchObject({
      sqlstate: '22000',
      detail: expect.stringContaining('3 bytes'),
    });
  });
});

describe('checkImage', () => {
  it('gives the size of the upright image', async () => {
    expect(await checkImage(await red(20, 10).webp().toBuffer())).toEqual({ width: 20, height: 10 });
    const turned = await red(20, 10).jpeg().withMetadata({ orientation: 6 }).toBuffer();
    expect(await checkImage(turned)).toEqual({ width: 10, height: 20 });
  });

  it('finds an image that is cut off, and refuses formats that are more than pixels', async () => {
    const noise = await sampleImage();
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    for (const file of [noise.subarray(0, noise.length / 2), svg, new Uint8Array(0)])
      await expect(checkImage(file)).rejects.toMatchObject({
        sqlstate: '22000',
        hint: expect.stringContaining('JPEG'),
      });
  });
});

describe('pixel features', () => {
  it('hold each colour’s mean and deviation, and survive storage as plain data', async () => {
    const files = await Promise.all([red().png().toBuffer(), plain(8, 8, '#000000').png().toBuffer()]);
    const state = await fitPixels(files, 8);
    expect(state).toEqual({ side: 8, mean: [127.5, 0, 0], deviation: [127.5, 1, 1] });
    const features = { encoder: 'pixels', classes: [], state: JSON.parse(JSON.stringify(state)) };
    expect(pixelState(features)).toEqual(state);
    const { image } = await createPixelEncoder(features).encode(files);
    expect(image?.shape).toEqual([2, 3, 8, 8]);
  });
});
