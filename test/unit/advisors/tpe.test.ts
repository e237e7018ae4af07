import { describe, expect, test } from 'vitest';
import type { SearchSpace, TrialHistory } from '../../../src/advisors/advisor.ts';
import { tpe } from '../../../src/advisors/tpe.ts';
import { HyperSpace } from '../../../src/domain/hyper-space.ts';

const search = (seed: number): SearchSpace => ({
  families: [
    { name: 'f', space: new HyperSpace().addRangeKnob('x', 'float', 0, 1, { group: 'training', initial: 0.5 }) },
  ],
  overrides: {},
  seed,
});

function historyOf(trials: readonly { x: number; score: number }[]): TrialHistory[] {
  return trials.map(({ x, score }, i) => ({ number: i + 1, family: 'f', knobs: { x }, scores: [score], ended: true }));
}

const proposed = (history: readonly TrialHistory[]): number[] =>
  Array.from({ length: 20 }, (_, seed) => Number(tpe.propose(search(seed), history)?.knobs['x']));
const near = (place: number, values: readonly number[]): number =>
  values.filter((value) => Math.abs(value - place) < 0.2).length;

describe('the Parzen estimator', () => {
  test('proposes what is frequent among good trials and seldom among the others', () => {
    // of 40 trials four are good, two of them where all others are
    const history = historyOf([
      ...[0.19, 0.21, 0.79, 0.81].map((x) => ({ x, score: 1 })),
      ...Array.from({ length: 36 }, (_, i) => ({ x: 0.15 + i / 360, score: 0.1 })),
    ]);
    expect(near(0.8, proposed(history))).toBeGreaterThanOrEqual(18);
  });

  test('calls a tenth of the trials good', () => {
    // the fifth best, far from the four others, is one of the others
    const history = historyOf([
      ...[0.88, 0.9, 0.9, 0.92].map((x) => ({ x, score: 1 })),
      { x: 0.1, score: 0.9 },
      ...Array.from({ length: 35 }, (_, i) => ({ x: 0.4 + i / 350, score: 0.1 })),
    ]);
    expect(near(0.9, proposed(history))).toBeGreaterThanOrEqual(18);
  });

  test('leaves places alone where trials run', () => {
    const history = historyOf([
      ...[0.2, 0.8].map((x) => ({ x, score: 1 })),
      ...Array.from({ length: 18 }, (_, i) => ({ x: 0.45 + i / 180, score: 0.1 })),
    ]);
    const running = Array.from(
      { length: 10 },
      (_, i): TrialHistory => ({
        ...{ number: 21 + i, family: 'f', knobs: { x: 0.18 + i / 250 }, scores: [], ended: false },
      }),
    );
    const values = proposed([...history, ...running]);
    expect(near(0.8, values)).toBeGreaterThan(near(0.2, values) + 8);
  });
});
