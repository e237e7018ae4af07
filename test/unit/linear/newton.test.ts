import { describe, expect, test } from 'vitest';
import { calibratedSlope } from '../../../src/linear/calibration.ts';
import { classLoss, numberLoss, type ScoreLoss } from '../../../src/linear/losses.ts';
import { LinearFit } from '../../../src/linear/newton.ts';
import { multiply, multiplyTransposed, type SparseRows, someRows } from '../../../src/linear/sparse-rows.ts';
import { randomClasses, randomNumbers, randomRows } from './problems.ts';

function solve(fit: LinearFit, c: number, tolerance: number): number {
  for (let iteration = 0; iteration < 100; iteration++) {
    const passes = fit.iterate(c, tolerance);
    let pass = passes.next();
    while (!pass.done) pass = passes.next();
    if (pass.value) return iteration;
  }
  return Number.POSITIVE_INFINITY;
}

/** ½‖W‖² + C · loss, written down once more with dense rows. */
function objective({
  rows,
  loss,
  w,
  c,
}: {
  rows: SparseRows;
  loss: ScoreLoss;
  w: ArrayLike<number>;
  c: number;
}): number {
  const { width } = loss;
  const scores = new Float64Array(rows.count * width);
  for (let row = 0; row < rows.count; row++)
    for (let k = 0; k < width; k++) {
      let score = w[k] as number;
      for (let i = rows.offsets[row] as number; i < (rows.offsets[row + 1] as number); i++)
        score += (rows.weights[i] as number) * (w[(rows.ids[i] as number) * width + k] as number);
      scores[row * width + k] = score;
    }
  const penalty = Array.from(w)
    .slice(width)
    .reduce((sum, weight) => sum + weight ** 2 / 2, 0);
  return penalty + c * loss.value(scores);
}

const rows = randomRows(60, 12);
const losses: readonly (readonly [string, ScoreLoss])[] = [
  ['logistic, two classes', classLoss('logistic', { values: randomClasses(60, 2) }, 2)],
  ['logistic, three classes', classLoss('logistic', { values: randomClasses(60, 3) }, 3)],
  ['squared hinge, two classes', classLoss('squared_hinge', { values: randomClasses(60, 2) }, 2)],
  ['squared hinge, three classes', classLoss('squared_hinge', { values: randomClasses(60, 3) }, 3)],
  ['squared error', numberLoss('squared_error', { values: randomNumbers(60) })],
  ['huber', numberLoss('huber', { values: randomNumbers(60) })],
];

describe.each(losses)('a linear fit, %s', (_, loss) => {
  test.each([0.01, 1, 100])('is a minimum, C = %d', (c) => {
    const fit = new LinearFit({ rows, loss, columns: 12 });
    expect(solve(fit, c, 1e-5)).toBeLessThan(100);
    const least = objective({ rows, loss, w: fit.w, c });
    for (let seed = 0; seed < 20; seed++) {
      const step = randomNumbers(fit.w.length, seed + 20);
      const near = Array.from(fit.w, (weight, i) => weight + 0.01 * (step[i] ?? 0));
      expect(objective({ rows, loss, w: near, c })).toBeGreaterThan(least);
    }
  });

  test('has one solution, wherever it starts', () => {
    const [path, direct] = [new LinearFit({ rows, loss, columns: 12 }), new LinearFit({ rows, loss, columns: 12 })];
    for (const c of [0.01, 0.1, 1]) solve(path, c, 1e-5);
    solve(direct, 1, 1e-5);
    for (const [i, weight] of direct.w.entries()) expect(path.w[i]).toBeCloseTo(weight, 3);
  });
});

test('products with rows are those of dense matrices', () => {
  const dense = Array.from({ length: rows.count }, (_, row) => {
    const own = new Float64Array(12);
    own[0] = 1;
    for (let i = rows.offsets[row] as number; i < (rows.offsets[row + 1] as number); i++)
      own[rows.ids[i] as number] = rows.weights[i] as number;
    return own;
  });
  for (const width of [1, 3]) {
    const [w, s] = [randomNumbers(12 * width, 1), randomNumbers(rows.count * width, 2)];
    const [scores, sums] = [new Float64Array(rows.count * width), new Float64Array(12 * width)];
    multiply(rows, w, width, scores);
    multiplyTransposed(rows, s, width, sums);
    const at = (values: Float64Array, place: number, k: number): number => values[place * width + k] ?? 0;
    for (let k = 0; k < width; k++) {
      for (const [row, own] of dense.entries())
        expect(at(scores, row, k)).toBeCloseTo(
          own.reduce((sum, x, id) => sum + x * at(w, id, k), 0),
          10,
        );
      for (let id = 0; id < 12; id++)
        expect(at(sums, id, k)).toBeCloseTo(
          dense.reduce((sum, own, row) => sum + (own[id] ?? 0) * at(s, row, k), 0),
          10,
        );
    }
  }
});

test('some of the rows keep their entries', () => {
  const { rows: odd, numbers } = someRows(rows, (row) => row % 2 === 1);
  expect([...numbers]).toEqual(Array.from({ length: 30 }, (_, i) => 2 * i + 1));
  const w = randomNumbers(12);
  const [all, some] = [new Float64Array(60), new Float64Array(30)];
  multiply(rows, w, 1, all);
  multiply(odd, w, 1, some);
  expect([...some]).toEqual([...numbers].map((row) => all[row]));
});

test('the slope of margins has the smallest loss', () => {
  expect(calibratedSlope((slope) => (Math.log(slope) - Math.log(3)) ** 2)).toBeCloseTo(3, 3);
  expect(calibratedSlope((slope) => slope)).toBeCloseTo(1 / 64, 4);
  expect(calibratedSlope((slope) => -slope)).toBeCloseTo(64, 1);
});
