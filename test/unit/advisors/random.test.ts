import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Advisor, SearchSpace, TrialHistory } from '../../../src/advisors/advisor.ts';
import { drawValue, nearestValue } from '../../../src/advisors/draw.ts';
import { judgeStagnation, PATIENCE_EPOCHS } from '../../../src/advisors/early-stopping.ts';
import { advisorByName, advisors } from '../../../src/advisors/registry.ts';
import { type Domain, HyperSpace } from '../../../src/domain/hyper-space.ts';
import { NotSupported } from '../../../src/errors/errors.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const space = (): HyperSpace =>
  new HyperSpace()
    .addRangeKnob('rate', 'float', 1e-4, 1, { group: 'training', initial: 0.01, log: true })
    .addRangeKnob('layers', 'int', 1, 5, { group: 'architecture', initial: 2 })
    .addCategoricalKnob('batch', [16, 32], { group: 'training', initial: 32 });

const search = (overrides: SearchSpace['overrides'] = {}, seed = 1): SearchSpace => ({
  families: ['a', 'b', 'c'].map((name) => ({ name, space: space() })),
  overrides,
  seed,
});

/** What the advisor proposes, one after another, whatever the scores. */
function propose(advisor: Advisor, from: SearchSpace, count: number): TrialHistory[] {
  const history: TrialHistory[] = [];
  while (history.length < count) {
    const proposal = advisor.propose(from, history);
    if (proposal === null) break;
    history.push({ number: history.length + 1, ...proposal, scores: [] });
  }
  return history;
}

describe.each(advisors.map((advisor) => [advisor.name, advisor] as const))('the advisor "%s"', (_, advisor) => {
  test('tries every family first, with the values that work without tuning', () => {
    const first = propose(advisor, search(), 3);
    expect(first.map((trial) => trial.family)).toEqual(['a', 'b', 'c']);
    for (const trial of first) expect(trial.knobs).toEqual({ rate: 0.01, layers: 2, batch: 32 });
  });

  test('says the same again for the same seed and history', () => {
    expect(propose(advisor, search({}, 5), 12)).toEqual(propose(advisor, search({}, 5), 12));
  });

  test('keeps to the domains, narrowed as the user wishes', () => {
    const overrides = { rate: { min: 0.1 }, layers: 4, batch: { list: [8, 64] } };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        for (const { knobs } of propose(advisor, search(overrides, seed), 8)) {
          expect(knobs['rate']).toBeGreaterThanOrEqual(0.1);
          expect(knobs['rate']).toBeLessThanOrEqual(1);
          expect(knobs['layers']).toBe(4);
          expect([8, 64]).toContain(knobs['batch']);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('calls best what nothing has beaten', () => {
    const trial = (number: number, ...scores: number[]): TrialHistory => ({ number, family: 'a', knobs: {}, scores });
    const history = [trial(1, 0.5, 0.8), trial(2, 0.7), trial(3)];
    expect(history.map((each) => advisor.isBest(each, history))).toEqual([true, false, false]);
  });
});

test('an advisor that is not there is refused with a list of those that are', () => {
  expect(() => advisorByName('oracle')).toThrow(NotSupported);
});

describe('drawing a value', () => {
  const range = fc
    .record({
      a: fc.integer({ min: -50, max: 50 }),
      b: fc.integer({ min: -50, max: 50 }),
      step: fc.constantFrom(undefined, 2, 5),
    })
    .map(
      ({ a, b, step }): Domain => ({
        kind: 'range',
        dtype: 'int',
        min: Math.min(a, b),
        max: Math.max(a, b),
        log: false,
        ...(step === undefined ? {} : { step }),
      }),
    );

  test('gives whole numbers on the grid, both ends included', () => {
    fc.assert(
      fc.property(range, fc.integer(), fc.double({ noNaN: true, min: -1e3, max: 1e3 }), (domain, seed, initial) => {
        if (domain.kind !== 'range') return;
        for (const value of [drawValue(domain, createRng(seed)), nearestValue(domain, initial)]) {
          expect(value).toBeGreaterThanOrEqual(domain.min);
          expect(value).toBeLessThanOrEqual(domain.max);
          expect(Math.abs((Number(value) - domain.min) % (domain.step ?? 1))).toBe(0);
        }
      }),
    );
  });

  test('is uniform in the logarithm where the scale is', () => {
    const rng = createRng(7);
    const domain: Domain = { kind: 'range', dtype: 'float', min: 1e-4, max: 1, log: true };
    const small = Array.from({ length: 2000 }, () => Number(drawValue(domain, rng))).filter(
      (value) => value < 1e-2,
    ).length;
    // 1000 expected, deviation 22: outside of 5.4 deviations once in 10 million seeds
    expect(Math.abs(small - 1000)).toBeLessThan(120);
  });

  test('covers a whole range of integers', () => {
    const rng = createRng(3);
    const domain: Domain = { kind: 'range', dtype: 'int', min: 1, max: 3, log: false };
    expect(new Set(Array.from({ length: 100 }, () => drawValue(domain, rng)))).toEqual(new Set([1, 2, 3]));
  });
});

describe('early stopping', () => {
  test('stops after so many epochs without a better score, and not before', () => {
    const flat = Array.from({ length: PATIENCE_EPOCHS + 1 }, () => 0.5);
    expect(judgeStagnation(flat)).toBe('stop');
    expect(judgeStagnation(flat.slice(1))).toBe('continue');
    expect(judgeStagnation([...flat, 0.6])).toBe('continue');
  });

  test('never stops a trial that gets better all the time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), (epochs) => {
        expect(judgeStagnation(Array.from({ length: epochs }, (_, i) => i / 100))).toBe('continue');
      }),
    );
  });
});
