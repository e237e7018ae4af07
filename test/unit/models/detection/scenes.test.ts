import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { cutOff } from '../../../../src/domain/kinds/detection.ts';
import { createSceneEncoder } from '../../../../src/features/scenes.ts';
import { createStretchedEncoder } from '../../../../src/features/stretched.ts';
import { pyramidOf } from '../../../../src/models/detection/scale-pyramid.ts';
import { compose, type Scene, type SceneKnobs } from '../../../../src/models/detection/scenes/compose.ts';
import { createRng } from '../../../../src/runtime/rng.ts';

const side = 48;
const still: SceneKnobs = { flip: false, zoom: 0, aspect: 0, colour: 0, mosaic: 0 };
const lively: SceneKnobs = { flip: true, zoom: 0.5, aspect: 0.3, colour: 0, mosaic: 0.5 };

/** A black picture with one bright rectangle, which is its object. */
function scene(width: number, height: number, [left, top, right, bottom]: [number, number, number, number]): Scene {
  const pixels = new Uint8Array(width * height * 3);
  for (let y = top; y < bottom; y++) pixels.fill(250, (y * width + left) * 3, (y * width + right) * 3);
  const picture = { pixels, width, height, source: { width, height } };
  return { levels: pyramidOf(picture), objects: [{ label: 0, left, top, right, bottom }] };
}

const scenes = [
  scene(72, 72, [12, 18, 40, 50]),
  scene(72, 40, [30, 8, 60, 30]),
  scene(50, 72, [5, 40, 45, 70]),
  scene(72, 60, [20, 20, 44, 44]),
];

const isBright = (planes: Uint8ClampedArray, x: number, y: number): boolean =>
  (planes[Math.floor(y) * side + Math.floor(x)] as number) > 180;

function composed(row: number, knobs: SceneKnobs, seed: number) {
  const planes = new Uint8ClampedArray(3 * side * side);
  const objects = compose(scenes, row, { planes, side, rng: createRng(seed), ...knobs });
  return { planes, objects };
}

describe('compose', () => {
  it('shows the whole scene as large as it fits when nothing is to be changed', () => {
    const { objects } = composed(0, still, 1);
    expect(objects).toEqual([{ label: 0, left: 8, top: 12, right: 80 / 3, bottom: 100 / 3 }]);
  });

  it('keeps boxes aligned with their pixels for every move, mirror and mosaic', () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(100_000), (row, seed) => {
        const { planes, objects } = composed(row, lively, seed);
        for (const { left, top, right, bottom } of objects) {
          expect(left >= 0 && top >= 0 && right <= side && bottom <= side).toBe(true);
          if (right - left < 6 || bottom - top < 6) continue;
          const [x, y] = [(left + right) / 2, (top + bottom) / 2];
          for (const at of [left + 2, x, right - 2.01]) expect(isBright(planes, at, y)).toBe(true);
          for (const at of [top + 2, y, bottom - 2.01]) expect(isBright(planes, x, at)).toBe(true);
        }
      }),
    );
  });

  it('draws boxes no larger than what they hold', () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(100_000), (row, seed) => {
        const { planes, objects } = composed(row, { ...lively, mosaic: 0 }, seed);
        for (const { left, top, right, bottom } of objects) {
          const [x, y] = [(left + right) / 2, (top + bottom) / 2];
          if (left > 3) expect(isBright(planes, left - 2.5, y)).toBe(false);
          if (top > 3) expect(isBright(planes, x, top - 2.5)).toBe(false);
          if (right < side - 3) expect(isBright(planes, right + 2.5, y)).toBe(false);
          if (bottom < side - 3) expect(isBright(planes, x, bottom + 2.5)).toBe(false);
        }
      }),
    );
  });

  it('marks an object that is mostly cut off, and leaves out one of which next to nothing is visible', () => {
    const [picture, cell] = [72, 12];
    const large = { label: 0, left: 0, top: 0, right: 24, bottom: 30 };
    const cells = Array.from({ length: (picture / cell) ** 2 }, (_, i) => {
      const [left, top] = [cell * (i % (picture / cell)), cell * Math.floor((i * cell) / picture)];
      return { label: i + 1, left, top, right: left + cell, bottom: top + cell };
    });
    const pixels = { pixels: new Uint8Array(3 * picture ** 2), width: picture, height: picture };
    const levels = pyramidOf({ ...pixels, source: { width: picture, height: picture } });
    const seen = { whole: 0, marked: 0, left: 0 };
    for (let seed = 0; seed < 400; seed++) {
      const planes = new Uint8ClampedArray(3 * side * side);
      const canvas = { planes, side, rng: createRng(seed), ...still, zoom: 1 };
      const objects = compose([{ levels, objects: [large, ...cells] }], 0, canvas);
      // where a cell that is visible as a whole is drawn shows the scale and the position of the picture
      const known = objects.find(
        ({ label, left, top, right, bottom }) => label > 0 && Math.min(left, top) > 0 && Math.max(right, bottom) < side,
      );
      const source = cells[(known?.label ?? 0) - 1];
      if (known === undefined || source === undefined) throw new RangeError(`seed ${seed} shows no whole cell`);
      const scale = (known.right - known.left) / cell;
      const visible = (start: number, size: number): number =>
        Math.min(side, start + size * scale) - Math.max(0, start);
      const [w, h] = [visible(known.left - source.left * scale, 24), visible(known.top - source.top * scale, 30)];
      const share = Math.min(w, h) < 2 ? 0 : (w * h) / (24 * 30 * scale ** 2);
      const [first] = objects;
      if (share < 0.02) seen.left++;
      else if (share < 0.3) seen.marked++;
      else seen.whole++;
      expect(objects.some(({ label }) => label === 0)).toBe(share >= 0.3);
      if (share < 0.02 || first === undefined) continue;
      expect(first.label).toBe(share < 0.3 ? cutOff : 0);
      expect(first.right - first.left).toBeCloseTo(w, 3);
      expect(first.bottom - first.top).toBeCloseTo(h, 3);
    }
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(10);
  });

  it('is decided by the seed alone', () => {
    const knobs = { ...lively, colour: 0.5 };
    expect(composed(1, knobs, 7)).toEqual(composed(1, knobs, 7));
    expect(composed(1, knobs, 7).planes).not.toEqual(composed(1, knobs, 8).planes);
  });
});

describe('the encoder of stretched images', () => {
  it('stretches a whole image to the square, upright, and returns its size', async () => {
    const left = { create: { width: 10, height: 20, channels: 3 as const, background: { r: 255, g: 0, b: 0 } } };
    const picture = { create: { width: 20, height: 20, channels: 3 as const, background: { r: 0, g: 0, b: 255 } } };
    const file = await sharp(picture)
      .composite([{ input: left, left: 0, top: 0 }])
      .withMetadata({ orientation: 6 }) // its left is to be on top
      .png()
      .toBuffer();
    const wide = await sharp(file).resize(20, 60, { fit: 'fill' }).withMetadata({ orientation: 6 }).png().toBuffer();
    const encoder = createStretchedEncoder({ encoder: 'stretched', classes: ['a'], state: { side: 32 } });
    const { image, frame } = await encoder.encode([wide]);
    expect(image?.shape).toEqual([1, 3, 32, 32]);
    expect(Array.from(frame?.data as Float32Array)).toEqual([60, 20]);
    const red = (x: number, y: number): number => Number(image?.data[y * 32 + x]);
    for (const x of [0, 31]) expect([red(x, 2) > 200, red(x, 29) < 50]).toEqual([true, true]);
  });
});

describe('the scene encoder of 0.1.0', () => {
  it('centres a whole image in a grey square and returns its frame', async () => {
    const file = await sharp({ create: { width: 200, height: 100, channels: 3, background: { r: 255, g: 0, b: 0 } } })
      .png()
      .toBuffer();
    const encoder = createSceneEncoder({ encoder: 'scenes', classes: ['a'], state: { side: 32 } });
    const { image, frame } = await encoder.encode([file]);
    expect(Array.from(frame?.data as Float32Array)).toEqual([0, 8, 6.25, 200, 100]);
    const red = (y: number): unknown => image?.data[y * 32 + 16];
    expect([red(7), red(8), red(23), red(24)]).toEqual([128, 255, 255, 128]);
  });

  it('uses the EXIF orientation of images', async () => {
    const file = await sharp({ create: { width: 20, height: 10, channels: 3, background: 'white' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const encoder = createSceneEncoder({ encoder: 'scenes', classes: ['a'], state: { side: 32 } });
    const { frame } = await encoder.encode([file]);
    expect(Array.from(frame?.data as Float32Array).slice(3)).toEqual([10, 20]);
  });
});
