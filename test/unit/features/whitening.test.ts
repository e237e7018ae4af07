import { describe, expect, it } from 'vitest';
import { fitPixels, pixelState } from '../../../src/features/pixels.ts';
import { fitWhitening, readWhitening, type Whitening } from '../../../src/features/whitening.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { randomPictures } from '../models/pictures.ts';

const side = 16;
const rows = 40;

/** Images whose neighbouring pixels and colours are alike, as those of photographs are: a few soft waves and some noise. */
function softImages(seed: number): Float32Array {
  const rng = createRng(seed);
  const images = Float32Array.from({ length: rows * 3 * side * side }, () => rng.uniform() - 0.5);
  for (let row = 0; row < rows; row++) {
    for (let wave = 0; wave < 6; wave++) {
      const [down, across, phase] = [rng.uniform() * 1.5, rng.uniform() * 1.5, rng.uniform() * 6];
      const tint = [rng.uniform(), rng.uniform(), rng.uniform()];
      for (let colour = 0; colour < 3; colour++) {
        for (let i = 0; i < side * side; i++) {
          const value = Math.sin(down * Math.floor(i / side) + across * (i % side) + phase);
          images[(row * 3 + colour) * side * side + i]! += (tint[colour] ?? 0) * value;
        }
      }
    }
  }
  return images;
}

/** Results of the convolution where no patch reaches over the edge: one row of numbers for each output. */
function whitened(images: Float32Array, { shape, weights }: Whitening): number[][] {
  const [outputs, , size] = shape;
  return Array.from({ length: outputs }, (_, output) => {
    const results: number[] = [];
    for (let image = 0; image < rows; image++) {
      for (let top = 0; top + size <= side; top++) {
        for (let left = 0; left + size <= side; left++) {
          let sum = 0;
          for (let k = 0; k < 3 * size * size; k++) {
            const [colour, y, x] = [Math.floor(k / size ** 2), Math.floor(k / size) % size, k % size];
            const pixel = images[((image * 3 + colour) * side + top + y) * side + left + x] ?? 0;
            sum += (weights[output * 3 * size * size + k] ?? 0) * pixel;
          }
          results.push(sum);
        }
      }
    }
    return results;
  });
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Leaves red as it is. */
const middlePixel: Whitening = { shape: [1, 3, 5, 5], weights: Array.from({ length: 75 }, (_, i) => Number(i === 12)) };

describe('whitening', () => {
  const images = softImages(1);

  it('by PCA gives uncorrelated numbers with variance 1, unless they are constant', () => {
    const outputs = whitened(images, fitWhitening(images, side, 'pca'));
    expect(outputs).toHaveLength(12);
    const [first = [], ...others] = outputs;
    for (const other of others) expect(Math.abs(correlation(first, other))).toBeLessThan(0.1);
    expect(first.reduce((sum, value) => sum + value * value, 0) / first.length).toBeCloseTo(1, 0);
  });

  it('by ZCA gives an image again, in which neighbours are hardly alike', () => {
    const outputs = whitened(images, fitWhitening(images, side, 'zca'));
    expect(outputs).toHaveLength(3);
    const [red = []] = outputs;
    const [plain = []] = whitened(images, middlePixel);
    const alike = (pixels: readonly number[]): number => Math.abs(correlation(pixels.slice(0, -1), pixels.slice(1)));
    expect(alike(red)).toBeLessThan(0.5 * alike(plain));
    expect(correlation(red, plain)).toBeGreaterThan(0.3);
  });

  it('is part of the fitted state, can be stored, and is absent unless requested', async () => {
    const { train } = await randomPictures(8);
    const stored = async (name: 'none' | 'zca') => JSON.parse(JSON.stringify(await fitPixels(train.inputs, 8, name)));
    const zca = pixelState({ encoder: 'pixels', classes: [], state: await stored('zca') });
    expect(zca.whitening?.shape).toEqual([3, 3, 5, 5]);
    expect(readWhitening(await stored('none'))).toBeNull();
    expect(() => readWhitening({ whitening: { shape: [3, 3, 5, 5], weights: [1] } })).toThrow(
      expect.objectContaining({ detail: expect.stringContaining('whitening') }),
    );
  });
});
