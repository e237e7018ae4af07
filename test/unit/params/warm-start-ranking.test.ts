import { expect, test } from 'vitest';
import type { Published } from '../../../src/db/statements/warm-starts.ts';
import { rankWarmStarts } from '../../../src/params/warm-start-ranking.ts';

const published = (trialId: number, family: string, score: number): Published => ({
  trialId,
  family,
  score,
  paramsId: 100 + trialId,
});
const trialsOf = (starts: readonly Published[]): number[] => starts.map(({ trialId }) => trialId);

test('a trial prefers the best quarter of its own family, then the best of each other one', () => {
  const weights = [
    published(1, 'a', 0.5),
    published(2, 'a', 0.8),
    published(3, 'b', 0.9),
    published(4, 'b', 0.95),
    published(5, 'a', 0.7),
    published(6, 'a', 0.6),
    published(7, 'a', 0.75),
  ];
  expect(trialsOf(rankWarmStarts(weights, 'a'))).toEqual([2, 7, 4]);
  expect(trialsOf(rankWarmStarts(weights, 'c'))).toEqual([4, 2]);
  expect(rankWarmStarts([], 'a')).toEqual([]);
});

test('with equal scores the earlier trial is first', () => {
  expect(trialsOf(rankWarmStarts([published(9, 'a', 0.5), published(3, 'a', 0.5)], 'a'))).toEqual([3]);
});
