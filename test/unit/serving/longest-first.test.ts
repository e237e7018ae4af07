import { expect, it } from 'vitest';
import { longestFirst } from '../../../src/serving/longest-first.ts';

it('gives the places of texts, long ones first and those of equal length as they stand, and none of nulls', () => {
  expect([...longestFirst(['b', null, 'aaa', '', 'c', 'dd'])]).toEqual([2, 5, 0, 4, 3]);
});
