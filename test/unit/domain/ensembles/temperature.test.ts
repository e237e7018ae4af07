import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addCalibrated,
  bestTemperature,
  type ClassRows,
  MIN_PROBABILITY,
  TEMPERATURES,
} from '../../../../src/domain/ensembles/temperature.ts';
import { createRng } from '../../../../src/runtime/rng.ts';

const dense = (rows: readonly (readonly number[])[], labels: readonly number[]): ClassRows => ({
  classes: rows[0]!.length,
  width: rows[0]!.length,
  probability: (row, k) => rows[row]![k]!,
  right: (row) => rows[row]![labels[row]!]!,
});
const places = (rows: readonly unknown[]): Int32Array => Int32Array.from(rows, (_, row) => row);

const calibrated = (row: readonly number[], temperature: number): number[] => {
  const into = new Float64Array(row.length);
  addCalibrated(into, { output: Float32Array.from(row), at: 0, temperature, weight: 1 });
  return [...into];
};

/** Mean log loss, from the definition: softmax of logarithms divided by the temperature. */
function lossAt(rows: readonly (readonly number[])[], labels: readonly number[], temperature: number): number {
  const losses = rows.map((row, i) => {
    const logits = row.map((p) => Math.log(Math.max(MIN_PROBABILITY, p)) / temperature);
    return Math.log(logits.reduce((sum, z) => sum + Math.exp(z), 0)) - logits[labels[i]!]!;
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

/** Labels drawn from softmax(z), and the probabilities softmax(z · sharper). */
function drawn(seed: number, { count, classes, sharper }: { count: number; classes: number; sharper: number }) {
  const rng = createRng(seed);
  const softmax = (z: number[]): number[] => {
    const e = z.map(Math.exp);
    const sum = e.reduce((a, b) => a + b, 0);
    return e.map((value) => value / sum);
  };
  const logits = Array.from({ length: count }, () => Array.from({ length: classes }, () => 1.5 * rng.normal()));
  const labels = logits.map((z) => {
    let left = rng.uniform();
    const place = softmax(z).findIndex((p) => {
      left -= p;
      return left < 0;
    });
    return Math.max(0, place);
  });
  return { rows: logits.map((z) => softmax(z.map((value) => value * sharper))), labels };
}

describe('the temperature', () => {
  it('is that with the smallest log loss of a fine grid', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 2, max: 6 }),
        fc.double({ min: 0.5, max: 3, noNaN: true }),
        (seed, classes, sharper) => {
          const { rows, labels } = drawn(seed, { count: 60, classes, sharper });
          const found = bestTemperature(dense(rows, labels), places(rows));
          const { min, max } = TEMPERATURES;
          const grid = Array.from({ length: 400 }, (_, i) => min * (max / min) ** (i / 399));
          const best = Math.min(...grid.map((temperature) => lossAt(rows, labels, temperature)));
          expect(lossAt(rows, labels, found)).toBeLessThanOrEqual(best + 1e-7); // at a bound it is reached by halving
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is what scipy finds', () => {
    // scipy.optimize.minimize_scalar(loss, bounds=(.2, 5), method='bounded', options={'xatol': 1e-10}), scipy 1.17
    const rows = [
      [0.9, 0.05, 0.05],
      [0.6, 0.3, 0.1],
      [0.2, 0.7, 0.1],
      [0.1, 0.1, 0.8],
      [0.45, 0.5, 0.05],
    ];
    const labels = [0, 1, 1, 2, 0];
    expect(bestTemperature(dense(rows, labels), places(rows))).toBeCloseTo(0.653158, 5);
  });

  it('undoes exaggeration', () => {
    const { rows, labels } = drawn(7, { count: 20_000, classes: 4, sharper: 2 });
    expect(bestTemperature(dense(rows, labels), places(rows))).toBeCloseTo(2, 1);
  });

  it('stays within its bounds where all rows are right, or all wrong; is 1 without rows', () => {
    const rows = [
      [0.9, 0.1],
      [0.8, 0.2],
    ];
    expect(bestTemperature(dense(rows, [0, 0]), places(rows))).toBeCloseTo(TEMPERATURES.min, 6);
    expect(bestTemperature(dense(rows, [1, 1]), places(rows))).toBeCloseTo(TEMPERATURES.max, 6);
    expect(bestTemperature(dense(rows, [0, 0]), new Int32Array(0))).toBe(1);
  });

  it('is found for certain and for impossible answers', () => {
    const rows = [
      [1, 0],
      [0, 1],
      [1, 0],
    ];
    expect(bestTemperature(dense(rows, [0, 1, 1]), places(rows))).toBe(
      bestTemperature(dense(rows, [0, 1, 1]), places(rows)),
    );
    expect(bestTemperature(dense(rows, [0, 1, 1]), places(rows))).toBeGreaterThan(1);
  });
});

it('of 1 leaves probabilities as they are; others keep their order and their sum', () => {
  expect(calibrated([0.75, 0.25, 0], 1)).toEqual([0.75, 0.25, 0]);
  const hot = calibrated([0.7, 0.2, 0.1], 2);
  expect(hot.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
  expect(hot[0]! / hot[1]!).toBeCloseTo(Math.sqrt(3.5), 6);
});
