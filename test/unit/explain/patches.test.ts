import sharp from 'sharp';
import { expect, it } from 'vitest';
import { explainedImage, patchesOf } from '../../../src/explain/patches.ts';

it.each([
  [600, 400, 36],
  [7, 5, 30],
  [1, 1, 1],
])('the patches of an image of %s × %s cover it once', (width, height, count) => {
  const covered = new Uint8Array(width * height);
  const patches = patchesOf({ width, height });
  expect(patches).toHaveLength(count);
  for (const { x, y, w, h } of patches)
    for (let row = y; row < y + h; row++)
      for (let column = x; column < x + w; column++) covered[row * width + column]!++;
  expect(covered.every((times) => times === 1)).toBe(true);
});

/** An image with a white square in its first patch. */
const spotted = (width: number, height: number): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: 'black' } })
    .composite([
      {
        input: { create: { width: width / 6, height: height / 6, channels: 3, background: 'white' } },
        left: 0,
        top: 0,
      },
    ])
    .png()
    .toBuffer();

it.each([
  [60, 60],
  [1800, 600],
])('patches that are missing have the mean colour, the others are as they were: %s × %s', async (width, height) => {
  const { parts, size, without } = await explainedImage(await spotted(width, height));
  expect(size).toEqual({ width, height });
  const files = await without?.([
    new Uint8Array(parts).fill(1),
    Uint8Array.from({ length: parts }, (_, i) => Number(i > 0)),
    Uint8Array.from({ length: parts }, (_, i) => Number(i === 0)),
  ]);
  const corners = await Promise.all(
    (files ?? []).map(async (file) => {
      const { data, info } = await sharp(file as Uint8Array)
        .raw()
        .toBuffer({ resolveWithObject: true });
      return [data[0], data.at(-1), info.width];
    }),
  );
  const mean = Math.round(255 / 36);
  const side = Math.min(512, width);
  expect(corners[0]).toEqual([255, 0, side]);
  for (const [i, expected] of [
    [mean, 0],
    [255, mean],
  ].entries()) {
    expect(Math.abs((corners[i + 1]?.[0] ?? 0) - (expected[0] as number))).toBeLessThanOrEqual(2);
    expect(Math.abs((corners[i + 1]?.[1] ?? 0) - (expected[1] as number))).toBeLessThanOrEqual(2);
  }
});

it('an image that cannot be read is refused as for predictions', async () => {
  await expect(explainedImage(Buffer.from('no image'))).rejects.toMatchObject({
    sqlstate: '22000',
    message: 'an image cannot be read',
  });
});
