import { describe, expect, it } from 'vitest';
import { membersFor, verdictOf } from '../../../src/serving/ensemble.ts';

describe('verdictOf', () => {
  // two rows, three classes
  const best = Float32Array.from([0.6, 0.3, 0.1, 0.2, 0.7, 0.1]);
  const second = Float32Array.from([0.1, 0.8, 0.1, 0.3, 0.3, 0.4]);
  const third = Float32Array.from([0.2, 0.5, 0.3, 0.1, 0.1, 0.8]);

  it('takes the label of most members, not of the mean', () => {
    expect(verdictOf([best, second, third], 0, 3).label).toBe(1);
    expect(verdictOf([best, second, third], 1, 3).label).toBe(2);
  });

  it('takes the best member where votes tie', () => {
    expect(verdictOf([best, second], 0, 3).label).toBe(0);
  });

  it('gives the mean probabilities of all members asked', () => {
    expect(Array.from(verdictOf([best, second], 0, 3).probabilities)).toEqual([
      expect.closeTo(0.35, 6),
      expect.closeTo(0.55, 6),
      expect.closeTo(0.1, 6),
    ]);
  });
});

describe('membersFor', () => {
  it('asks of two members only the one that decides, unless the probabilities are wanted', () => {
    expect([1, 2, 3, 4].map((members) => membersFor(members, false))).toEqual([1, 1, 3, 4]);
    expect(membersFor(2, true)).toBe(2);
  });
});
