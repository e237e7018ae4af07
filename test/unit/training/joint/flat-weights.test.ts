import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addChange, meanChange } from '../../../../src/training/joint/flat-weights.ts';
import { fromHalf, takeHalf } from '../../../../src/training/joint/half.ts';

const halvesOf = (...values: number[]): Uint16Array => takeHalf(Float32Array.from(values));

describe('the mean change', () => {
  it('weighs each worker by the fraction of the rows that it trained', () => {
    const before = Float32Array.of(1, 1);
    const own = { weights: Float32Array.of(3, 1), fraction: 0.75 };
    const mean = meanChange(before, own, [{ halves: halvesOf(-2, 8), fraction: 0.25 }], new Float32Array(2));
    expect(Array.from(mean)).toEqual([0.75 * 2 + 0.25 * -2, 0.25 * 8]);
  });

  it('is the own change if nobody else has sent one', () => {
    const before = Float32Array.of(1, 2);
    const mean = meanChange(before, { weights: Float32Array.of(4, 1), fraction: 1 }, [], new Float32Array(2));
    expect(Array.from(mean)).toEqual([3, -1]);
  });

  it('is the same for more numbers than are computed at a time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8000, max: 20_000 }), (length) => {
        const before = Float32Array.from({ length }, (_, i) => i / 7);
        const weights = before.map((value, i) => value + (i % 5));
        const halves = takeHalf(Float32Array.from({ length }, (_, i) => i % 3));
        const mean = meanChange(
          before,
          { weights, fraction: 0.5 },
          [{ halves, fraction: 0.5 }],
          new Float32Array(length),
        );
        const sent = fromHalf(halves);
        const wanted = weights.map((value, i) => 0.5 * (value - (before[i] ?? 0)) + 0.5 * (sent[i] ?? 0));
        expect(mean.every((value, i) => Math.abs(value - (wanted[i] ?? 0)) < 1e-3)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });
});

describe('a change that is added', () => {
  it('may replace the weights', () => {
    const weights = Float32Array.of(1, 2);
    expect(addChange(weights, halvesOf(0.5, -4), weights)).toBe(weights);
    expect(Array.from(weights)).toEqual([1.5, -2]);
  });
});
