import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Augmentation, augmentImages } from '../../../src/models/image/augment.ts';
import { rotateImage, shiftImage } from '../../../src/models/image/move.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const side = 6;
const image = (): Uint8Array => Uint8Array.from({ length: 3 * side * side }, (_, i) => i);
const nothing = { shift: 0, flip: false, rotation: 0, colour: 0, cutout: 0 };
const augmented = (augmentation: Partial<Augmentation>, seed: number, data = image()): Uint8Array => {
  augmentImages({ dtype: 'uint8', shape: [1, 3, side, side], data }, { ...nothing, ...augmentation }, createRng(seed));
  return data;
};

describe('augmentImages', () => {
  it('does not change an image without augmentation', () => {
    expect(augmented({}, 1)).toEqual(image());
  });

  it('mirrors rows of half of the images', () => {
    const mirrored = image().map((_, i) => i - (i % side) + side - 1 - (i % side));
    const seen = Array.from({ length: 100 }, (_, seed) => augmented({ flip: true }, seed));
    const turned = seen.filter((data) => Buffer.compare(data, mirrored) === 0).length;
    const kept = seen.filter((data) => Buffer.compare(data, image()) === 0).length;
    expect(turned + kept).toBe(100);
    expect(Math.abs(turned - 50)).toBeLessThan(25); // the seeds are fixed, so this holds always or never
  });

  it('moves all colours of an image together, and at most by the limit', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(side), (seed, shift) => {
        const data = augmented({ shift }, seed);
        const moved = Array.from(data, (value, i) => value - i).filter((_, i) => data[i] !== 128);
        const [first] = moved;
        for (const by of moved) expect(by).toBe(first);
      }),
    );
  });

  it('blots out one square', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 1, max: 4 }), (seed, cutout) => {
        const blotted = augmented({ cutout }, seed).filter((value, i) => value !== i).length / 3;
        expect(blotted).toBeGreaterThan(0);
        expect(blotted).toBeLessThanOrEqual(cutout * cutout);
      }),
    );
  });

  it('gives the same for the same seed, and another for another', () => {
    const all = { shift: 2, flip: true, rotation: 30, colour: 0.5, cutout: 2 };
    expect(augmented(all, 3)).toEqual(augmented(all, 3));
    expect(augmented(all, 3)).not.toEqual(augmented(all, 4));
  });

  it('changes brightness, contrast and saturation, but leaves an image alone at strength 0', () => {
    const flat = (): Uint8Array => new Uint8Array(3 * side * side).fill(100);
    const changed = augmented({ colour: 0.5 }, 1, flat());
    expect(new Set(changed).size).toBe(1); // grey stays grey, as saturation is taken around it
    expect(changed[0]).not.toBe(100);
  });
});

describe('turn', () => {
  const size = { width: side, height: side, down: 0, right: 0, mirrored: false };
  const turned = (from: Uint8Array, options: Partial<Parameters<typeof rotateImage>[2]>): Uint8Array => {
    const to = new Uint8Array(from.length);
    rotateImage(from, to, { ...size, degrees: 0, ...options });
    return to;
  };

  it('by nothing is the move by whole pixels', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -3, max: 3 }),
        fc.integer({ min: -3, max: 3 }),
        fc.boolean(),
        (down, right, mirrored) => {
          const moved = new Uint8Array(image().length);
          shiftImage(image(), moved, { ...size, down, right, mirrored });
          const difference = turned(image(), { down, right, mirrored }).map((value, i) =>
            Math.abs(value - (moved[i] ?? 0)),
          );
          expect(Math.max(...difference)).toBeLessThanOrEqual(1); // a last row or column is mixed with its neighbour by 1/256
        },
      ),
    );
  });

  it('by a right angle turns rows into columns', () => {
    const from = image();
    const to = turned(from, { degrees: 90 });
    for (let y = 1; y < side - 1; y++) {
      for (let x = 1; x < side - 1; x++) {
        expect(Math.abs((to[y * side + x] ?? 0) - (from[(side - 1 - x) * side + y] ?? 0))).toBeLessThanOrEqual(1);
      }
    }
  });

  it('fills the outside of the image with grey', () => {
    const corner = turned(new Uint8Array(3 * side * side), { degrees: 45 })[0];
    expect(corner).toBe(128);
  });
});
