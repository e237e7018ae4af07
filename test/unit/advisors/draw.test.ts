import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawValue, nearestValue } from '../../../src/advisors/draw.ts';
import type { Domain } from '../../../src/domain/hyper-space.ts';
import { createRng } from '../../../src/runtime/rng.ts';

describe('drawing a value', () => {
  const range = fc
    .record({
      a: fc.integer({ min: -50, max: 50 }),
      b: fc.integer({ min: -50, max: 50 }),
      step: fc.constantFrom(undefined, 2, 5),
    })
    .map(
      ({ a, b, step }): Domain => ({
        kind: 'range',
        dtype: 'int',
        min: Math.min(a, b),
        max: Math.max(a, b),
        log: false,
        ...(step === undefined ? {} : { step }),
      }),
    );

  test('gives whole numbers on the grid, both ends included', () => {
    fc.assert(
      fc.property(range, fc.integer(), fc.double({ noNaN: true, min: -1e3, max: 1e3 }), (domain, seed, initial) => {
        if (domain.kind !== 'range') return;
        for (const value of [drawValue(domain, createRng(seed)), nearestValue(domain, initial)]) {
          expect(value).toBeGreaterThanOrEqual(domain.min);
          expect(value).toBeLessThanOrEqual(domain.max);
          expect(Math.abs((Number(value) - domain.min) % (domain.step ?? 1))).toBe(0);
        }
      }),
    );
  });

  test('is uniform in the logarithm where the scale is', () => {
    const rng = createRng(7);
    const domain: Domain = { kind: 'range', dtype: 'float', min: 1e-4, max: 1, log: true };
    const small = Array.from({ length: 2000 }, () => Number(drawValue(domain, rng))).filter(
      (value) => value < 1e-2,
    ).length;
    // 1000 expected, deviation 22: outside of 5.4 deviations once in 10 million seeds
    expect(Math.abs(small - 1000)).toBeLessThan(120);
  });

  test('covers a whole range of integers', () => {
    const rng = createRng(3);
    const domain: Domain = { kind: 'range', dtype: 'int', min: 1, max: 3, log: false };
    expect(new Set(Array.from({ length: 100 }, () => drawValue(domain, rng)))).toEqual(new Set([1, 2, 3]));
  });
});
