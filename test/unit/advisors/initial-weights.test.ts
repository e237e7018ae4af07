import { describe, expect, test } from 'vitest';
import type { InitialWeights, Proposal, SearchSpace, TrialHistory } from '../../../src/advisors/advisor.ts';
import { bayesian } from '../../../src/advisors/bayesian.ts';
import {
  BEST_START,
  initialWeightsPositions,
  RANDOM_START,
  rankByInitialWeights,
} from '../../../src/advisors/initial-weights.ts';
import { HyperSpace } from '../../../src/domain/hyper-space.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const search = (seed: number): SearchSpace => ({
  families: [
    { name: 'a', space: new HyperSpace().addRangeKnob('x', 'float', 0, 1, { group: 'training', initial: 0.5 }) },
  ],
  overrides: {},
  seed,
});

/** Random starts score best at 0.2; warm ones the same wherever they are, which is from `low` up. */
function studied(seed: number, warmScore: number, low: number): TrialHistory[] {
  const rng = createRng(seed);
  return Array.from({ length: 14 }, (_, i) => {
    const isWarm = i % 2 === 1;
    const x = isWarm ? low + (1 - low) * rng.uniform() : rng.uniform();
    const score = isWarm ? warmScore + 0.01 * rng.uniform() : 0.7 - (x - 0.2) ** 2;
    return { number: i + 1, family: 'a', knobs: { x }, scores: [score], parent: isWarm ? i : undefined, ended: true };
  });
}

const seeds = [1, 2, 3, 5, 6, 7, 9, 10]; // 14 trials and every fourth proposal TPE's: 15 is the process's
const proposals = (
  start: InitialWeights,
  { warmScore = 0.9, low = 0, forget = false }: { warmScore?: number; low?: number; forget?: boolean },
): Proposal[] =>
  seeds.flatMap((seed) => {
    const history = studied(seed, warmScore, low).map((trial) => (forget ? { ...trial, parent: undefined } : trial));
    return bayesian.propose(search(seed), history, start) ?? [];
  });

describe('the Gaussian process', () => {
  test('does not credit the knobs with what a warm start gave', () => {
    const left = (proposed: Proposal[]): number => proposed.filter(({ knobs }) => Number(knobs['x']) < 0.5).length;
    expect(left(proposals('random', { low: 0.6 }))).toBeGreaterThanOrEqual(7);
    expect(left(proposals('random', { low: 0.6, forget: true }))).toBeLessThanOrEqual(1); // not told, it looks where the warm ones were
  });

  test('starts at random where it expects more of that, and never takes weights that it is not offered', () => {
    const atRandom = (proposed: Proposal[]): number =>
      proposed.filter(({ initialWeights }) => initialWeights === 'random').length;
    expect(atRandom(proposals('open', {}))).toBe(0);
    expect(atRandom(proposals('open', { warmScore: 0.2 }))).toBeGreaterThanOrEqual(6); // what it has not seen yet it may still try
    expect(new Set(proposals('random', {}).map(({ initialWeights }) => initialWeights))).toEqual(new Set([undefined]));
  });
});

const scored = [0.3, 0.5, 0.8, 0.7].map((score, i) => ({
  score,
  trial: { number: i + 1, family: 'a', knobs: {}, scores: [score], parent: i < 2 ? undefined : i, ended: true },
}));

test('first weights lie where their trial ranks', () => {
  const startOf = initialWeightsPositions({ scored, pending: [] });
  expect([undefined, 1, 2, 3, null].map((parent) => startOf({ parent }))).toEqual([
    RANDOM_START,
    0.25,
    0.5,
    BEST_START,
    BEST_START,
  ]);
});

test('trials are ranked among those that started alike', () => {
  expect(rankByInitialWeights(scored).map(({ number }) => number)).toEqual([2, 3, 1, 4]);
});
