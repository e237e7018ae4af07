import { describe, expect, test } from 'vitest';
import { isRandomStart, randomStartProbability } from '../../../src/advisors/random-start.ts';

const greed = { first: 1, last: 0.1 };
describe('α', () => {
  test('falls from the first value to the last by the middle of the study, and stays there', () => {
    expect([0, 0.25, 0.5, 0.75, 1, 3].map((progress) => randomStartProbability(greed, progress))).toEqual([
      1, 0.55, 0.1, 0.1, 0.1, 0.1,
    ]);
  });

  test('is how often a trial starts at random, and the same again after a restart', () => {
    const startAt = (seed: number): boolean => isRandomStart({ first: 0.3, last: 0.3 }, { progress: 0.9, seed });
    const starts = Array.from({ length: 4000 }, (_, seed) => startAt(seed));
    // binomial with a deviation of 29: outside of 5 deviations with a probability below 1e-6
    expect(Math.abs(starts.filter(Boolean).length - 1200)).toBeLessThan(145);
    expect(starts.map((_, seed) => startAt(seed))).toEqual(starts);
  });
});
