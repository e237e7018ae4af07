import type { Advisor, SearchSpace, TrialHistory } from '../../src/advisors/advisor.ts';
import { HyperSpace, type KnobValue } from '../../src/domain/hyper-space.ts';
import { createRng, deriveSeed } from '../../src/runtime/rng.ts';
import type { Objective } from './bbob/functions.ts';

/** The minimum found so far after each evaluation; the functions' minimum is 0, so this is the regret. */
export type Regrets = readonly number[];

export interface Budget {
  evaluations: number;
  seed: number;
}

/** Lets an advisor minimise a function, one evaluation after another, as a study with one worker. */
export function runStudy(advisor: Advisor, { optimum, value }: Objective, { evaluations, seed }: Budget): Regrets {
  const search = searchOf(optimum.length, seed);
  const history: TrialHistory[] = [];
  const regrets: number[] = [];
  while (history.length < evaluations) {
    const proposal = advisor.propose(search, history);
    if (proposal === null) break;
    const regret = value(Object.values(proposal.knobs).map(Number));
    history.push({ number: history.length + 1, ...proposal, scores: [-regret], ended: true });
    regrets.push(Math.min(regret, regrets.at(-1) ?? Number.POSITIVE_INFINITY));
  }
  return regrets;
}

/** The box of BBOB. The first trial has the initial values: a random point here, so that no advisor gets a hint. */
function searchOf(dimensions: number, seed: number): SearchSpace {
  const rng = createRng(deriveSeed(seed, dimensions));
  const space = new HyperSpace();
  for (let i = 0; i < dimensions; i++) {
    const initial: KnobValue = 10 * rng.uniform() - 5;
    space.addRangeKnob(`x${i}`, 'float', -5, 5, { group: 'training', initial });
  }
  return { families: [{ name: 'box', space }], overrides: {}, seed };
}
