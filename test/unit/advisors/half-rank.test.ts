import { expect, test } from 'vitest';
import { halfRank } from '../../../src/advisors/gp/half-rank.ts';

test('the better half keeps its distances, below the median only the order counts', () => {
  // quantiles of .1 and .3 times the root mean square of 1 and 2
  const deviation = Math.sqrt(2.5);
  const plain = [3 - 1.2815515655446 * deviation, 3 - 0.5244005127080409 * deviation, 3, 4, 5];
  const mean = plain.reduce((a, b) => a + b, 0) / 5;
  const spread = Math.sqrt(plain.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 5);
  const expected = plain.map((value) => expect.closeTo((value - mean) / spread, 9));
  expect(Array.from(halfRank([1, 2, 3, 4, 5]))).toEqual(expected);
  expect(Array.from(halfRank([-1e6, 2.9, 3, 4, 5]))).toEqual(expected);
  expect(Array.from(halfRank([4, 3, 5, 2, 1]))).toEqual([3, 2, 4, 1, 0].map((place) => expected[place]));
});

test('equal scores are all 0', () => {
  expect(Array.from(halfRank([0.5, 0.5, 0.5]))).toEqual([0, 0, 0]);
});
