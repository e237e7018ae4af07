import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { candidatesOf, rungSeconds, rungSizes } from '../../../src/domain/rungs.ts';

describe('the candidates of a study', () => {
  const limits = { families: 5, maxTrials: 16 };

  it.each([
    [0.2, 1],
    [3.99, 1],
    [4, 4],
    [7.9, 5],
    [8, null],
  ])('with time for %f trainings are %s', (affordable, candidates) => {
    expect(candidatesOf(affordable, limits)).toBe(candidates);
  });

  it('are other knobs of a single family', () => {
    expect(candidatesOf(4, { families: 1, maxTrials: 16 })).toBe(2);
  });

  it('are so few that all rungs together have at most max_trials', () => {
    for (let maxTrials = 1; maxTrials <= 16; maxTrials++) {
      const candidates = candidatesOf(7, { ...limits, maxTrials }) ?? 0;
      expect(rungSizes(candidates).reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(maxTrials);
    }
    expect(candidatesOf(100, { ...limits, maxTrials: 1 })).toBe(1);
  });
});

describe('few trials among many affordable ones', () => {
  it('are found without counting down to them', () => {
    expect(candidatesOf(1e15, { families: 5, maxTrials: 1 })).toBe(1);
  });
});

describe('rungs', () => {
  it('have a third of the trials of the one before, up to a last one with one trial', () => {
    expect(rungSizes(1)).toEqual([1]);
    expect(rungSizes(2)).toEqual([2, 1]);
    expect(rungSizes(7)).toEqual([7, 3, 1]);
  });

  it('leave at least half of the time to the last one', () => {
    const cases = fc.tuple(
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 20 }),
      fc.double({ min: 1, max: 1e5, noNaN: true }),
    );
    fc.assert(
      fc.property(cases, ([candidates, workers, seconds]) => {
        let left = seconds;
        for (let sizes = rungSizes(candidates); sizes.length > 0; sizes = sizes.slice(1)) {
          const each = rungSeconds(left, sizes, workers);
          if (sizes.length === 1) {
            expect(each).toBeNull();
            expect(left).toBeGreaterThanOrEqual(seconds / 2 - 1e-6);
          } else left -= (each ?? 0) * Math.ceil((sizes[0] ?? 0) / workers);
        }
      }),
    );
  });
});
