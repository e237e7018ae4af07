import { describe, expect, test } from 'vitest';
import type { Branch } from '../../../src/advisors/axes.ts';
import { drawPoint, estimate, logDensity, type Parzen } from '../../../src/advisors/tpe/parzen.ts';
import { type Domain, HyperSpace } from '../../../src/domain/hyper-space.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const continuous: Domain = { kind: 'range', dtype: 'float', min: 0, max: 1, log: false };
const whole: Domain = { kind: 'range', dtype: 'int', min: 1, max: 5, log: false };
const three: Domain = { kind: 'categorical', list: ['a', 'b', 'c'] };

const branch = (...domains: Domain[]): Branch => ({
  family: 'f',
  space: new HyperSpace(),
  axes: domains.map((domain, i) => ({ knob: `knob ${i}`, domain })),
});
const at = (...positions: number[]) => ({ branch: 0, positions: Float64Array.from(positions) });
const spreadOf = ({ components }: Parzen, axis = 0): number => components[0]!.kernels[axis]!.spread;

describe('the width of a kernel', () => {
  test("is Scott's rule times the deviation", () => {
    // deviation .2 of sixteen points on two axes: 16^(-1/6) · .2
    const points = Array.from({ length: 16 }, (_, i) => at(i % 2 === 0 ? 0.3 : 0.7, 0));
    const estimated = estimate([branch(continuous, continuous)], points);
    expect(spreadOf(estimated)).toBeCloseTo(16 ** (-1 / 6) * 0.2, 12);
    // equal values: no narrower than one part of n + 1
    expect(spreadOf(estimated, 1)).toBeCloseTo(1 / 17, 12);
  });

  test('is a hundredth at least, however many points there are', () => {
    const points = Array.from({ length: 300 }, () => at(0.5));
    expect(spreadOf(estimate([branch(continuous)], points))).toBeCloseTo(0.01, 12);
  });

  test('of a category is the share of the prior', () => {
    expect(spreadOf(estimate([branch(three)], [at(0), at(1)]))).toBeCloseTo(1 / 6, 12);
  });

  test('is that of the points of the own family', () => {
    const points = [at(0.3), at(0.7), { branch: 1, positions: Float64Array.of(0.9) }];
    const estimated = estimate([branch(continuous), branch(continuous)], points);
    expect(estimated.components.map((component) => component.branch)).toEqual([0, 0, 1]);
    expect(spreadOf(estimated)).toBeCloseTo(1 / 3, 12); // 2^(-1/5) · .2 is less
  });
});

describe('a density', () => {
  const points = [at(0.05, 0.3, 0), at(0.1, 0.5, 0), at(0.2, 0.5, 2), at(0.9, 0.9, 0)];
  const branches = [branch(continuous, whole, three), branch()];
  const estimated = estimate(branches, [...points, { branch: 1, positions: new Float64Array() }]);
  const PARTS = 1000;
  const cells = [0.1, 0.3, 0.5, 0.7, 0.9]; // the middles of the five whole numbers

  /** The mass of the first axis between two positions, given the others. */
  const mass = (low: number, high: number, number: number, category: number): number => {
    let sum = 0;
    for (let i = low * PARTS; i < high * PARTS; i++)
      sum += Math.exp(logDensity(estimated, at((i + 0.5) / PARTS, cells[number] as number, category)));
    return sum / PARTS;
  };
  const total = (low: number, high: number, ofNumber = [0, 1, 2, 3, 4], ofCategory = [0, 1, 2]): number =>
    ofNumber.flatMap((number) => ofCategory.map((c) => mass(low, high, number, c))).reduce((a, b) => a + b, 0);

  test('has a mass of one over all families and values', () => {
    expect(total(0, 1) + Math.exp(logDensity(estimated, { branch: 1, positions: new Float64Array() }))).toBeCloseTo(
      1,
      4,
    );
  });

  test('is what is drawn from', () => {
    const rng = createRng(1);
    const DRAWS = 20_000;
    const drawn = Array.from({ length: DRAWS }, () => drawPoint(estimated, rng));
    const share = (is: (position: Float64Array) => boolean): number =>
      drawn.filter((point) => point.branch === 0 && is(point.positions)).length / DRAWS;
    // five deviations of a share of a half at most; the seed is fixed
    const within = 5 * Math.sqrt(0.25 / DRAWS);
    expect(Math.abs(share(() => true) - total(0, 1))).toBeLessThan(within);
    expect(Math.abs(share(([x]) => x! < 0.2) - total(0, 0.2))).toBeLessThan(within);
    expect(Math.abs(share(([x]) => x! >= 0.8) - total(0.8, 1))).toBeLessThan(within);
    for (const number of [0, 2, 4])
      expect(Math.abs(share(([, n]) => Math.floor(n! * 5) === number) - total(0, 1, [number]))).toBeLessThan(within);
    for (const category of [0, 1, 2])
      expect(Math.abs(share(([, , c]) => c === category) - total(0, 1, undefined, [category]))).toBeLessThan(within);
  });
});
