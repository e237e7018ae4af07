import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/runtime/rng.ts';
import { createObjective } from '../../../src/trees/objective.ts';
import { boostingSettings } from '../../../src/trees/settings.ts';

const rng = createRng(5);
const random = (length: number, draw: () => number): Float32Array => Float32Array.from({ length }, draw);
const rows = 40;
const weights = random(rows, () => 0.5 + rng.uniform());

describe.each([
  { objective: 'log_loss', classes: 2, values: random(rows, () => rng.below(2)), factor: [1, 1] },
  { objective: 'log_loss', classes: 4, values: random(rows, () => rng.below(4)), factor: [1, 2] },
  { objective: 'squared_error', classes: 2, values: random(rows, () => 50 * rng.normal()), factor: [0.5, 0.5] },
] as const)('$objective of $classes classes', ({ objective: name, classes, values, factor }) => {
  const objective = createObjective(boostingSettings({ objective: name, classes }), { values, weights });
  const scores = Array.from({ length: objective.outputs }, () => Float64Array.from(values, () => rng.normal()));

  it('has derivatives that equal finite differences of the loss', () => {
    objective.prepare(scores);
    const derivatives = new Int32Array(2 * rows);
    for (let output = 0; output < objective.outputs; output++) {
      objective.derivatives(output, scores, { values, weights }, derivatives);
      for (const row of [0, 7, 39]) {
        const one = { values: values.slice(row, row + 1) };
        const lossAt = (shift: number): number =>
          objective.loss(
            scores.map((own, o) => Float64Array.of((own[row] as number) + (o === output ? shift : 0))),
            one,
          );
        const [step, weight] = [1e-3, weights[row] as number];
        const first = ((lossAt(step) - lossAt(-step)) / (2 * step)) * weight * factor[0];
        const second = ((lossAt(step) - 2 * lossAt(0) + lossAt(-step)) / step ** 2) * weight * factor[1];
        expect((derivatives[2 * row] as number) * objective.gradientUnit).toBeCloseTo(first, 4);
        expect((derivatives[2 * row + 1] as number) * objective.hessianUnit).toBeCloseTo(second, 4);
      }
    }
  });

  it('starts at the scores with the least loss', () => {
    const start = (shift: number): number =>
      objective.loss(
        [...objective.base].map((base, o) => new Float64Array(rows).fill(base + (o === 0 ? shift : 0))),
        { values, weights },
      );
    expect(start(0)).toBeLessThan(start(0.01));
    expect(start(0)).toBeLessThan(start(-0.01));
  });
});

describe('absolute error', () => {
  it('starts at the weighted median, with signs as derivatives', () => {
    const targets = { values: Float32Array.of(1, 2, 3, 4, 100), weights: Float32Array.of(1, 1, 1, 1, 5) };
    const objective = createObjective(boostingSettings({ objective: 'absolute_error' }), targets);
    expect(objective.base).toEqual(Float32Array.of(100));
    const into = new Int32Array(10);
    objective.derivatives(0, [new Float64Array(5).fill(3)], targets, into);
    const gradients = [0, 2, 4, 6, 8].map((at) => (into[at] as number) * objective.gradientUnit);
    expect(gradients).toEqual([1, 1, 0, -1, -5]);
  });
});

it('sums of derivatives of eight million rows are still exact', () => {
  const values = new Float32Array(1 << 23).fill(1);
  values[0] = 0;
  const { gradientUnit } = createObjective(boostingSettings({ objective: 'log_loss' }), { values });
  expect(values.length / gradientUnit).toBeLessThanOrEqual(2 ** 53);
});
