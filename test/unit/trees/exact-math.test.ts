import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactExp, exactLog, powerOfTwo } from '../../../src/trees/exact-math.ts';

describe('exponentials and logarithms of basic operations', () => {
  it('differ from those of Math by a few units in the last place', () => {
    fc.assert(
      fc.property(fc.double({ min: -700, max: 700, noNaN: true }), (x) => {
        expect(Math.abs(exactExp(x) / Math.exp(x) - 1)).toBeLessThan(1e-15);
      }),
    );
    fc.assert(
      fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (x) => {
        expect(Math.abs(exactLog(x) - Math.log(x))).toBeLessThanOrEqual(1e-15 * Math.max(1, Math.abs(Math.log(x))));
      }),
    );
  });

  it('hold exponents within what a double has', () => {
    expect(exactExp(1e9)).toBe(exactExp(700));
    expect(exactExp(-1e9)).toBeGreaterThan(0);
    expect([exactExp(0), exactLog(1)]).toEqual([1, 0]);
  });

  it('know powers of two', () => {
    expect([powerOfTwo(0), powerOfTwo(10), powerOfTwo(-3), powerOfTwo(-1022)]).toEqual([1, 1024, 0.125, 2 ** -1022]);
  });
});
