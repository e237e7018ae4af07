import { describe, expect, it } from 'vitest';
import { unweighted } from '../../../src/domain/ensembles/rule.ts';
import { classification } from '../../../src/domain/kinds/classification.ts';
import { detection } from '../../../src/domain/kinds/detection.ts';

describe('an ensemble of classifiers', () => {
  // two rows, three classes
  const best = Float32Array.from([0.6, 0.3, 0.1, 0.2, 0.7, 0.1]);
  const second = Float32Array.from([0.1, 0.8, 0.1, 0.3, 0.3, 0.4]);
  const third = Float32Array.from([0.2, 0.5, 0.3, 0.1, 0.1, 0.8]);
  const judge = classification.answers(['a', 'b', 'c'], 'vote');
  const batch = (...outputs: Float32Array[]) => ({ outputs, members: outputs.map(() => unweighted(0.5)), rows: 2 });

  it('chooses the label of most members, not of the mean', () => {
    expect(judge.answer(batch(best, second, third), 0)).toBe('b');
    expect(judge.answer(batch(best, second, third), 1)).toBe('c');
  });

  it('chooses the best member if votes tie', () => {
    expect(judge.answer(batch(best, second), 0)).toBe('a');
  });

  it('returns the mean probabilities of all members used', () => {
    const means = { a: 0.35, b: 0.55, c: 0.1 };
    expect(judge.finding(batch(best, second), 0)).toEqual({ label: 'a', probabilities: means });
  });
});

describe('a detector', () => {
  // two images, three places each: class, score, x, y, w, h, best first
  const output = Float32Array.from([
    ...[1, 0.9, 10.04, 20, 30, 40.06],
    ...[0, 0.2, 1, 2, 3, 4],
    ...[0, 0.01, 1, 1, 1, 1],
    ...[0, 0.5, 5, 6, 7, 8],
    ...[0, 0, 0, 0, 0, 0],
    ...[0, 0, 0, 0, 0, 0],
  ]);
  const judge = detection.answers(['apple', 'pear'], 'best');
  const batch = { outputs: [output], members: [unweighted(0.5)], rows: 2 };
  const boxesOf = (row: number): unknown => judge.finding(batch, row)['boxes'];

  it('answers the objects of each image that are clear, as JSON; details show the doubtful ones too, and no noise', () => {
    expect(JSON.parse(judge.answer(batch, 0))).toEqual([{ label: 'pear', score: 0.9, x: 10, y: 20, w: 30, h: 40.1 }]);
    expect(boxesOf(0)).toHaveLength(2);
    expect(boxesOf(1)).toEqual([{ label: 'apple', score: 0.5, x: 5, y: 6, w: 7, h: 8 }]);
  });

  it('finds nothing in an image without objects', () => {
    expect(judge.answer({ outputs: [new Float32Array(18)], members: [unweighted(0.5)], rows: 1 }, 0)).toBe('[]');
  });

  it('answers alone, unlike classifiers, which vote', () => {
    expect([detection.votes(), classification.votes()]).toEqual([false, true]);
  });
});
