import { describe, expect, test } from 'vitest';
import type { Advisor, SearchSpace, TrialHistory } from '../../../src/advisors/advisor.ts';
import { bayesian } from '../../../src/advisors/bayesian.ts';
import { random } from '../../../src/advisors/random.ts';
import { MIN_TRIALS, regretBound, standardError } from '../../../src/advisors/terminator.ts';
import { HyperSpace, type Knobs } from '../../../src/domain/hyper-space.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const space = new HyperSpace()
  .addRangeKnob('x', 'float', 0, 1, { group: 'training', initial: 0.5 })
  .addRangeKnob('y', 'float', 0, 1, { group: 'training', initial: 0.5 });
const search: SearchSpace = { families: [{ name: 'f', space }], overrides: {}, seed: 3 };

function study(trials: number, score: (knobs: Knobs) => number, advisor: Advisor = random): TrialHistory[] {
  const history: TrialHistory[] = [];
  while (history.length < trials) {
    const proposal = advisor.propose(search, history);
    if (proposal === null) break;
    history.push({ number: history.length + 1, ...proposal, scores: [score(proposal.knobs)], ended: true });
  }
  return history;
}

const hill = ({ x, y }: Knobs): number => 0.9 - 0.2 * ((Number(x) - 0.3) ** 2 + (Number(y) - 0.6) ** 2);
const error = 0.01;

describe('the bound on what more trials can gain', () => {
  test('falls as a smooth hill becomes known, to less than the error of a score', () => {
    const history = study(50, hill, bayesian);
    const [few, many] = [MIN_TRIALS, 50].map((count) => regretBound(search, history.slice(0, count), error));
    expect(many).toBeLessThan(few ?? 0);
    expect(many).toBeLessThan(error);
  });

  test('stays above the error where scores say nothing about their neighbours', () => {
    const rng = createRng(1);
    const history = study(60, () => 0.5 + 0.3 * rng.uniform());
    expect(regretBound(search, history, error)).toBeGreaterThan(3 * error);
  });

  test('holds: no point of the hill gains more', () => {
    for (const count of [MIN_TRIALS, 40, 80]) {
      const history = study(count, hill);
      const best = Math.max(...history.flatMap(({ scores }) => scores));
      expect(0.9 - best).toBeLessThanOrEqual(regretBound(search, history, error) ?? 0);
    }
  });

  test('is nothing where nothing that was tried made a difference', () => {
    expect(
      regretBound(
        search,
        study(30, () => 0.7),
        error,
      ),
    ).toBe(0);
  });

  test('is about the families that are searched, if others were better', () => {
    const given = study(MIN_TRIALS, () => 0.99).map((trial) => ({ ...trial, family: 'given_up' }));
    const tried = study(MIN_TRIALS, hill);
    expect(regretBound(search, [...given, ...tried], error)).toBeGreaterThan(0); // not NaN
    expect(regretBound(search, [...given, ...tried.slice(1)], error)).toBeNull();
  });

  test('is unknown after few trials, and with nothing to tune', () => {
    expect(regretBound(search, study(MIN_TRIALS - 1, hill), error)).toBeNull();
    expect(regretBound({ ...search, overrides: { x: 0.5, y: 0.5 } }, study(30, hill), error)).toBeNull();
  });
});

test('a share of rows has the standard error of a binomial proportion', () => {
  expect(standardError(0.9, 900)).toBeCloseTo(0.01);
});
