import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binFinder, featureBins } from '../../../src/trees/feature-bins.ts';

const numbersOf = (...values: number[]) => ({ categorical: false, values: Float32Array.from(values) });

describe('bins of numbers', () => {
  it('hold the values up to and including their upper edge', () => {
    const float = fc.float({ noNaN: false });
    fc.assert(
      fc.property(fc.array(float, { maxLength: 80 }), fc.integer({ min: 2, max: 12 }), (values, maxBins) => {
        const bins = featureBins(numbersOf(...values), maxBins);
        const find = binFinder(bins);
        expect(bins.count).toBeLessThanOrEqual(maxBins + 1);
        for (const value of values) {
          const bin = find(value);
          if (Number.isNaN(value)) expect(bin).toBe(0);
          else {
            expect(bin).toBeGreaterThan(0);
            if (bin >= 2) expect(value).toBeGreaterThan(bins.edges[bin - 2] as number);
            if (bin < bins.count - 1) expect(value).toBeLessThanOrEqual(bins.edges[bin - 1] as number);
          }
        }
      }),
    );
  });

  it('are one for each value if there are few, with edges in the middle', () => {
    expect(featureBins(numbersOf(3, 1, 1, 8, Number.NaN)).edges).toEqual(Float32Array.of(2, 5.5));
  });

  it('tell neighbouring float32 apart', () => {
    const next = Math.fround(1 + 2 ** -23);
    const find = binFinder(featureBins(numbersOf(1, next)));
    expect([find(1), find(next)]).toEqual([1, 2]);
  });

  it('are equally full, and a frequent value has its own', () => {
    const values = Float32Array.from({ length: 20_000 }, (_, i) => (i < 10_000 ? 500 : i / 10));
    const bins = featureBins({ categorical: false, values }, 100);
    const find = binFinder(bins);
    const counts = new Int32Array(bins.count);
    for (const value of values) counts[find(value)] = (counts[find(value)] as number) + 1;
    const own = counts[find(500)] as number;
    expect(own).toBeGreaterThanOrEqual(10_000);
    expect(own).toBeLessThan(10_200);
    const others = [...counts.slice(1)].filter((count) => count !== own);
    expect(others.length).toBeGreaterThan(90);
    expect(Math.max(...others)).toBeLessThan(250);
  });
});

describe('bins of categories', () => {
  it('are those of the most frequent; others count as missing', () => {
    const values = Float32Array.of(7, 7, 7, 2, 2, 9, 9, 300, Number.NaN);
    const bins = featureBins({ categorical: true, values }, 3);
    expect(bins).toEqual({ categorical: true, count: 4, edges: Float32Array.of(7, 2, 9) });
    expect([7, 2, 9, 300, 5, Number.NaN].map(binFinder(bins))).toEqual([1, 2, 3, 0, 0, 0]);
  });
});
