import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { augmentImages } from '../../../src/models/image-augment.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const side = 6;
const image = (): Uint8Array => Uint8Array.from({ length: 3 * side * side }, (_, i) => i);
const augmented = (augmentation: Parameters<typeof augmentImages>[1], seed: number): Uint8Array => {
  const data = image();
  augmentImages({ dtype: 'uint8', shape: [1, 3, side, side], data }, augmentation, createRng(seed));
  return data;
};

describe('augmentImages', () => {
  it('leaves an image alone when nothing is asked for', () => {
    expect(augmented({ shift: 0, flip: false, cutout: 0 }, 1)).toEqual(image());
  });

  it('mirrors rows of half of the images', () => {
    const mirrored = image().map((_, i) => i - (i % side) + side - 1 - (i % side));
    const seen = Array.from({ length: 100 }, (_, seed) => augmented({ shift: 0, flip: true, cutout: 0 }, seed));
    const turned = seen.filter((data) => Buffer.compare(data, mirrored) === 0).length;
    const kept = seen.filter((data) => Buffer.compare(data, image()) === 0).length;
    expect(turned + kept).toBe(100);
    expect(Math.abs(turned - 50)).toBeLessThan(25); // the seeds are fixed, so this holds always or never
  });

  it('moves all colours of an image alike, and never further than asked', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(side), (seed, shift) => {
        const data = augmented({ shift, flip: false, cutout: 0 }, seed);
        const moved = Array.from(data, (value, i) => value - i).filter((_, i) => data[i] !== 128);
        const [first] = moved;
        for (const by of moved) expect(by).toBe(first);
      }),
    );
  });

  it('blots out one square', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 1, max: 4 }), (seed, cutout) => {
        const blotted = augmented({ shift: 0, flip: false, cutout }, seed).filter((value, i) => value !== i).length / 3;
        expect(blotted).toBeGreaterThan(0);
        expect(blotted).toBeLessThanOrEqual(cutout * cutout);
      }),
    );
  });
});
