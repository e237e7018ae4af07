import { describe, expect, test } from 'vitest';
import { classLoss, numberLoss, type ScoreLoss } from '../../../src/linear/losses.ts';
import { randomClasses, randomNumbers } from './problems.ts';

const rows = 6;
const counts = Float32Array.from({ length: rows }, (_, row) => 0.5 + row / 4);
const classes = (count: number) => ({ values: randomClasses(rows, count), counts });
const cases: readonly (readonly [string, ScoreLoss])[] = [
  ['logistic, two classes', classLoss('logistic', classes(2), 2)],
  ['logistic, four classes', classLoss('logistic', classes(4), 4)],
  ['squared hinge, two classes', classLoss('squared_hinge', classes(2), 2)],
  ['squared hinge, four classes', classLoss('squared_hinge', classes(4), 4)],
  ['squared error', numberLoss('squared_error', { values: randomNumbers(rows), counts })],
  ['huber', numberLoss('huber', { values: randomNumbers(rows), counts })],
];

/** Central differences of a function of scores. */
function differences(of: (scores: Float64Array) => number, scores: Float64Array, h = 1e-5): number[] {
  return Array.from(scores, (score, i) => {
    const at = (value: number): number => of(scores.map((other, j) => (i === j ? value : other)));
    return (at(score + h) - at(score - h)) / (2 * h);
  });
}

describe.each(cases)('%s', (_, loss) => {
  const scores = randomNumbers(rows * loss.width, 3);
  const slopesAt = (at: Float64Array): Float64Array => {
    const slopes = new Float64Array(at.length);
    loss.slopes(at, slopes);
    return slopes;
  };

  test('has the slopes of its value', () => {
    const expected = differences((at) => loss.value(at), scores);
    for (const [i, slope] of slopesAt(scores).entries()) expect(slope).toBeCloseTo(expected[i] ?? 0, 6);
  });

  test('bends as its slopes change', () => {
    const direction = randomNumbers(scores.length, 5);
    const h = 1e-6;
    const moved = (by: number): Float64Array => slopesAt(scores.map((score, i) => score + by * (direction[i] ?? 0)));
    const [up, down] = [moved(h), moved(-h)];
    slopesAt(scores);
    const bent = direction.slice();
    loss.bend(bent);
    for (const [i, change] of bent.entries()) expect(change).toBeCloseTo(((up[i] ?? 0) - (down[i] ?? 0)) / (2 * h), 4);
  });

  test('is finite far from the truth', () => {
    for (const far of [1e4, -1e4]) {
      const scores = new Float64Array(rows * loss.width).fill(far);
      scores[0] = -far;
      expect(Number.isFinite(loss.value(scores))).toBe(true);
      expect(slopesAt(scores).every(Number.isFinite)).toBe(true);
    }
  });
});
