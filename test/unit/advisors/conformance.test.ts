import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Advisor, Proposal, SearchSpace, TrialHistory } from '../../../src/advisors/advisor.ts';
import { advisorByName, advisors } from '../../../src/advisors/registry.ts';
import { HyperSpace } from '../../../src/domain/hyper-space.ts';
import { InvalidParameter } from '../../../src/errors/errors.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const space = (): HyperSpace =>
  new HyperSpace()
    .addRangeKnob('rate', 'float', 1e-4, 1, { group: 'training', initial: 0.01, log: true })
    .addRangeKnob('layers', 'int', 1, 5, { group: 'architecture', initial: 2 })
    .addRangeKnob('width', 'int', 8, 64, { group: 'architecture', initial: 16, step: 8, log: true })
    .addRangeKnob('decay', 'float', 0, 1, {
      group: 'training',
      initial: 0.1,
      depends: ['rate'],
      preHook: ({ rate }, domain) => (domain.kind === 'range' ? { ...domain, max: Number(rate) } : domain),
    })
    .addCategoricalKnob('batch', [16, 32, 64], { group: 'training', initial: 32 });

const search = (overrides: SearchSpace['overrides'] = {}, seed = 1, names = ['a', 'b', 'c']): SearchSpace => ({
  families: names.map((name) => ({ name, space: space() })),
  overrides,
  seed,
});

/** What comes of a proposal, at a given place of a random study: a score, a failure, or nothing yet. */
type StudyOutcome = Pick<TrialHistory, 'scores' | 'ended' | 'parent'>;
const pending: StudyOutcome = { scores: [], ended: false };

function mixedOutcomes(seed: number): () => StudyOutcome {
  const rng = createRng(seed);
  return () => {
    const chance = rng.uniform();
    if (chance < 0.1) return { scores: [], ended: true };
    if (chance < 0.2) return { scores: [rng.uniform()], ended: false };
    if (chance < 0.3) return { ...pending, parent: null };
    return { scores: [rng.uniform(), rng.uniform()], parent: chance < 0.6 ? undefined : 1, ended: true };
  };
}

/** What the advisor proposes, one after another. */
function propose(advisor: Advisor, from: SearchSpace, { count = 12, outcome = () => pending } = {}): TrialHistory[] {
  const history: TrialHistory[] = [];
  while (history.length < count) {
    const proposal = advisor.propose(from, history);
    if (proposal === null) break;
    history.push({ number: history.length + 1, ...proposal, ...outcome() });
  }
  return history;
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

describe.each(advisors.map((advisor) => [advisor.name, advisor] as const))('the advisor "%s"', (_, advisor) => {
  test('tries every family first, with the values that work without tuning', () => {
    const first = propose(advisor, search(), { count: 3 });
    expect(first.map((trial) => trial.family)).toEqual(['a', 'b', 'c']);
    const initial = { rate: 0.01, layers: 2, width: 16, decay: 0.01, batch: 32 };
    for (const trial of first) expect(trial.knobs).toEqual(initial);
  });

  test('proposes the same for the same seed and history', () => {
    const outcome = mixedOutcomes(5);
    const history = propose(advisor, search({}, 5), { count: 40, outcome });
    const reread = history.map((trial) => ({
      ...trial,
      knobs: Object.fromEntries(Object.entries(trial.knobs).reverse()),
    }));
    for (const length of [3, 9, 20, 40]) {
      const said = advisor.propose(search({}, 5), history.slice(0, length));
      expect(advisor.propose(search({}, 5), structuredClone(reread.slice(0, length)))).toEqual(said);
    }
  });

  test('keeps to the domains, narrowed by hooks and as the user wishes, whatever comes of the trials', () => {
    const overrides = { rate: { min: 0.1 }, layers: 4, batch: { list: [8, 64] } };
    fc.assert(
      fc.property(seeds, (seed) => {
        const outcome = mixedOutcomes(seed);
        for (const { knobs } of propose(advisor, search(overrides, seed), { count: 24, outcome })) {
          const { rate, layers, width, decay, batch } = knobs;
          expect(rate).toBeGreaterThanOrEqual(0.1);
          expect(rate).toBeLessThanOrEqual(1);
          expect(layers).toBe(4);
          expect([8, 16, 24, 32, 40, 48, 56, 64]).toContain(width);
          expect(decay).toBeGreaterThanOrEqual(0);
          expect(decay).toBeLessThanOrEqual(Number(rate));
          expect([8, 64]).toContain(batch);
        }
      }),
      { numRuns: 10 },
    );
  });

  test('leaves a knob alone that is not for tuning, unless the user gives it a range', () => {
    const steady = space().addRangeKnob('limit', 'int', 1, 100, { group: 'training', initial: 50, untuned: true });
    const values = (overrides: SearchSpace['overrides']): unknown[] => {
      const from = { families: [{ name: 'a', space: steady }], overrides, seed: 3 };
      const outcome = (): StudyOutcome => ({ scores: [0.5], ended: true });
      return propose(advisor, from, { outcome }).map(({ knobs }) => knobs['limit']);
    };
    expect(new Set(values({}))).toEqual(new Set([50]));
    expect(new Set(values({ limit: 7 }))).toEqual(new Set([7]));
    expect(new Set(values({ limit: { min: 20, max: 90 } })).size).toBeGreaterThan(1);
  });

  test('has nothing to choose where the user fixed every knob', () => {
    const fixed = { rate: 0.1, layers: 4, width: 8, decay: 0, batch: 16 };
    const outcome = (): StudyOutcome => ({ scores: [0.5], ended: true });
    for (const { knobs } of propose(advisor, search(fixed, 1, ['a']), { count: 15, outcome })) {
      expect(knobs).toEqual(fixed);
    }
  });

  test('answers in time after ten thousand trials', () => {
    const draws = advisorByName('random');
    const rng = createRng(3);
    const history: TrialHistory[] = [];
    for (let number = 1; number <= 10_001; number++) {
      const { family, knobs } = draws.propose(search({}, number, ['a']), history.slice(0, 1)) as Proposal;
      history.push({ number, family, knobs, scores: [rng.uniform()], ended: number % 100 !== 0 });
    }
    advisor.propose(search(), history.slice(0, 5_000)); // the first call compiles
    const started = performance.now();
    advisor.propose(search({}, 2), history);
    // bar 100 ms; the limit leaves room for a machine that does other work
    expect(performance.now() - started).toBeLessThan(500);
  });
});

test('an advisor that is not there is refused with a list of those that are', () => {
  expect(() => advisorByName('oracle')).toThrow(InvalidParameter);
});
