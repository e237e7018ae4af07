import { describe, expect, it } from 'vitest';
import { decayAt } from '../../../../src/graph/weight-average.ts';
import { averageOf, averageTerms } from '../../../../src/training/joint/averages.ts';

describe('the moving average of the means', () => {
  it('is that of steps in a straight line from mean to mean', () => {
    const [start, end, done, steps] = [3, 7, 100, 12];
    let average = 5;
    for (let k = 1; k <= steps; k++) {
      const d = decayAt(done + k - 1, 0.95);
      average = d * average + (1 - d) * (start + (k / steps) * (end - start));
    }
    const values = { before: Float32Array.of(5), start: Float32Array.of(start), end: Float32Array.of(end) };
    expect(averageOf(averageTerms(0.95, { done, steps }), values)[0]).toBeCloseTo(average, 5);
  });
});
