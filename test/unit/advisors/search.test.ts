import { describe, expect, test } from 'vitest';
import type { Advisor, SearchSpace, TrialHistory } from '../../../src/advisors/advisor.ts';
import { advisorByName } from '../../../src/advisors/registry.ts';
import { HyperSpace, type Knobs } from '../../../src/domain/hyper-space.ts';

/** Two families; the better one has a smooth peak of 1 at rate 0.01, layers 4, kind "b". */
const search = (seed: number): SearchSpace => ({
  families: ['good', 'poor'].map((name) => ({
    name,
    space: new HyperSpace()
      .addRangeKnob('rate', 'float', 1e-4, 1, { group: 'training', initial: 0.5, log: true })
      .addRangeKnob('layers', 'int', 1, 8, { group: 'architecture', initial: 1 })
      .addCategoricalKnob('kind', ['a', 'b', 'c'], { group: 'architecture', initial: 'a' }),
  })),
  overrides: {},
  seed,
});

function score(family: string, { rate, layers, kind }: Knobs): number {
  const distance = (Math.log10(Number(rate)) + 2) ** 2 / 4 + ((Number(layers) - 4) / 8) ** 2;
  return (family === 'good' ? 1 : 0.8) - 0.3 * distance - (kind === 'b' ? 0 : 0.1);
}

function bestOf(advisor: Advisor, seed: number, count: number): number {
  const history: TrialHistory[] = [];
  while (history.length < count) {
    const proposal = advisor.propose(search(seed), history);
    if (proposal === null) break;
    const scores = [score(proposal.family, proposal.knobs)];
    history.push({ number: history.length + 1, ...proposal, scores, ended: true });
  }
  return Math.max(...history.map(({ scores }) => scores[0] as number));
}

describe.each(['tpe', 'bayesian'])('the advisor "%s"', (name) => {
  test('finds better values than random search on a smooth function', () => {
    const seeds = Array.from({ length: 10 }, (_, i) => i + 1);
    const wins = seeds.filter(
      (seed) => bestOf(advisorByName(name), seed, 40) > bestOf(advisorByName('random'), seed, 40),
    );
    // an advisor no better than random search wins 8 of 10 with probability 0.055; the seeds are fixed, so this is no flake
    expect(wins.length).toBeGreaterThanOrEqual(8);
  });
});
