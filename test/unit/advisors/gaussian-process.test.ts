import { inverse, Matrix } from 'ml-matrix';
import { describe, expect, test } from 'vitest';
import { branchesOf } from '../../../src/advisors/axes.ts';
import { embeddingOf } from '../../../src/advisors/gp/embedding.ts';
import { logExpectedImprovement } from '../../../src/advisors/gp/expected-improvement.ts';
import { fitHyperparameters } from '../../../src/advisors/gp/fit.ts';
import { posterior, type Samples } from '../../../src/advisors/gp/gaussian-process.ts';
import { halfRank } from '../../../src/advisors/gp/half-rank.ts';
import { marginalLikelihood } from '../../../src/advisors/gp/marginal-likelihood.ts';
import { HyperSpace } from '../../../src/domain/hyper-space.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const rng = createRng(11);
const vector = (): Float64Array => Float64Array.from([rng.uniform(), rng.uniform(), rng.uniform()]);
const samples: Samples = { x: Array.from({ length: 12 }, vector), y: Float64Array.from({ length: 12 }, rng.normal) };
const lengths = Float64Array.from([0.3, 0.7, 2]);
const noise = 0.01;

/** Matérn 5/2 as in the book, with the distance itself. */
function kernel(a: Float64Array, b: Float64Array): number {
  const r = Math.hypot(...a.map((value, d) => (value - (b[d] as number)) / (lengths[d] as number)));
  return (1 + Math.sqrt(5) * r + (5 / 3) * r * r) * Math.exp(-Math.sqrt(5) * r);
}

const gram = (x: readonly Float64Array[]): Matrix =>
  Matrix.add(new Matrix(x.map((a) => x.map((b) => kernel(a, b)))), Matrix.eye(x.length).mul(noise));

describe('the posterior of a Gaussian process', () => {
  const inverted = inverse(gram(samples.x));
  const y = Matrix.columnVector([...samples.y]);
  const signal = y.transpose().mmul(inverted).mmul(y).get(0, 0) / samples.y.length;

  test('is kᵀ(K + noise I)⁻¹y and k(x, x) − kᵀ(K + noise I)⁻¹k', () => {
    const predict = posterior(samples, { lengths, noise });
    for (let i = 0; i < 20; i++) {
      const at = vector();
      const k = Matrix.columnVector(samples.x.map((x) => kernel(x, at)));
      const { mean, deviation } = predict(at);
      expect(mean).toBeCloseTo(k.transpose().mmul(inverted).mmul(y).get(0, 0), 8);
      expect(deviation ** 2).toBeCloseTo(signal * (1 - k.transpose().mmul(inverted).mmul(k).get(0, 0)), 8);
    }
  });

  test('is surer near a pending trial, of the mean that it had', () => {
    const pending = vector();
    const before = posterior(samples, { lengths, noise })(pending);
    const after = posterior(samples, { lengths, noise }, [pending])(pending);
    expect(after.mean).toBeCloseTo(before.mean, 8);
    expect(after.deviation).toBeLessThan(before.deviation / 2);
  });
});

test('the marginal likelihood has the gradient that finite differences have', () => {
  const likelihood = marginalLikelihood(samples, Int32Array.from([0, 1, 1]), 2);
  const theta = Float64Array.from([-0.5, 0.2, -3]);
  const { gradient } = likelihood(theta);
  for (let i = 0; i < theta.length; i++) {
    const shifted = (by: number): number => likelihood(theta.map((value, j) => (i === j ? value + by : value))).value;
    expect(gradient[i]).toBeCloseTo((shifted(1e-5) - shifted(-1e-5)) / 2e-5, 4);
  }
});

test('the fitted length scales tell a knob that matters from one that does not', () => {
  const x = Array.from({ length: 40 }, () => Float64Array.from([rng.uniform(), rng.uniform()]));
  const y = halfRank(x.map(([a = 0]) => Math.sin(6 * a)));
  const embedding = { width: 2, scaleOf: Int32Array.from([0, 1]), scales: 2, embed: () => new Float64Array(2) };
  const hyper = fitHyperparameters({ x, y }, embedding);
  expect(hyper.lengths[1]).toBeGreaterThan(5 * (hyper.lengths[0] as number));
});

describe('log expected improvement', () => {
  /** ∫ max(0, mean + deviation z − best) φ(z) dz by Simpson's rule, from where the improvement begins. */
  function integral(mean: number, deviation: number, best: number): number {
    const from = (best - mean) / deviation;
    const steps = 4000;
    const h = 12 / steps;
    const gain = (z: number): number =>
      ((mean + deviation * z - best) * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
    let sum = 0;
    for (let i = 0; i <= steps; i++) sum += (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * gain(from + i * h);
    return (sum * h) / 3;
  }

  test.each([0, 0.5, 2, -0.5, -0.99, -1.01, -3, -8, -20])('agrees with numerical integration at z = %d', (z) => {
    const deviation = 0.7;
    const found = logExpectedImprovement({ mean: 1 + z * deviation, deviation }, 1);
    expect(found).toBeCloseTo(Math.log(integral(1 + z * deviation, deviation, 1)), 6);
  });

  test('still falls where the improvement itself is no number any more', () => {
    const values = [-30, -50, -1e3, -9.9e3, -1.01e4, -1e6].map((z) =>
      logExpectedImprovement({ mean: z, deviation: 1 }, 0),
    );
    for (const [i, value] of values.entries()) {
      expect(Number.isFinite(value)).toBe(true);
      if (i > 0) expect(value).toBeLessThan(values[i - 1] as number);
    }
  });
});

test('the half-rank warp keeps the order, and the distances of the better half', () => {
  const scores = [0.9, 0.85, -1e6, 0.8, 0.1, Number.MIN_VALUE, 0.7];
  const warped = [...halfRank(scores)];
  const order = (values: readonly number[]): number[] =>
    values.map((_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number));
  expect(order(warped)).toEqual(order(scores));
  const [best = 0, second = 0, , third = 0] = warped;
  expect((best - second) / (second - third)).toBeCloseTo(1, 8);
  expect(Math.max(...warped.map(Math.abs))).toBeLessThan(3);
});

describe('the embedding of families and knobs', () => {
  const a = new HyperSpace()
    .addRangeKnob('rate', 'float', 0, 1, { group: 'training', initial: 0.5 })
    .addCategoricalKnob('kind', ['x', 'y', 'z'], { group: 'training', initial: 'x' });
  const b = new HyperSpace().addRangeKnob('depth', 'float', 0, 1, { group: 'training', initial: 0.5 });
  const families = [
    { name: 'a', space: a },
    { name: 'b', space: b },
  ];
  const { width, scales, scaleOf, embed } = embeddingOf(branchesOf({ families, overrides: {}, seed: 1 }));
  const distance = (x: Float64Array, y: Float64Array): number =>
    Math.hypot(...x.map((value, i) => value - (y[i] as number)));

  test('has a column for a number and one for each category, and a scale for each knob and the family', () => {
    expect(width).toBe(2 + 1 + 3 + 1);
    expect([...scaleOf]).toEqual([0, 0, 1, 2, 2, 2, 3]);
    expect(scales).toBe(4);
  });

  test('puts different categories a distance of one apart, and lets knobs of other families stand still', () => {
    const at = (branch: number, ...positions: number[]): Float64Array => embed(branch, Float64Array.from(positions));
    expect(distance(at(0, 0.5, 0), at(0, 0.5, 2))).toBeCloseTo(1, 12);
    expect(distance(at(0, 0.2, 1), at(0, 0.6, 1))).toBeCloseTo(0.4, 12);
    expect([...at(1, 0.9)]).toEqual([0, Math.SQRT1_2, 0.5, 0, 0, 0, 0.9]);
  });
});
