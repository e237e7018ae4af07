import type { Advisor } from '../src/advisors/advisor.ts';
import { advisorByName } from '../src/advisors/registry.ts';
import type { Figure } from './figure.ts';
import { bbob, FUNCTIONS } from './tuning/bbob/functions.ts';
import { howToGetPeer, Peer } from './tuning/peer.ts';
import { type Regrets, runStudy } from './tuning/study.ts';

interface Extent {
  dimensions: readonly number[];
  budgets: readonly number[];
  seeds: number;
}

const full: Extent = { dimensions: [2, 5, 10], budgets: [50, 200], seeds: 15 };
const quick: Extent = { dimensions: [2], budgets: [50], seeds: 3 };

/** On how many of the 24 functions the median regret must be smaller than random search's, after so many evaluations. */
const BAR_RANDOM = 20;
const BAR_RANDOM_AFTER = 200;
/** On how many it must be no larger than Optuna's. */
const BAR_PEER = 12;

const models = ['tpe', 'bayesian'].map(advisorByName);
const random = advisorByName('random');

/** Model-based advisors on the BBOB functions, against random search and Optuna's TPE in the same run. */
export async function* tuningBench(options: { quick: boolean }): AsyncIterable<Figure> {
  const extent = options.quick ? quick : full;
  const peer = await Peer.start();
  try {
    for (const dimensions of extent.dimensions) {
      const medians = await measure(dimensions, extent, peer);
      for (const budget of extent.budgets) {
        for (const { name } of models) yield* compare(medians, { name, budget, dimensions, seeds: extent.seeds });
      }
    }
  } finally {
    peer?.stop();
  }
}

/** Median regret by tuner and budget, one for each function. */
type Medians = Map<string, number[]>;

const keyOf = (tuner: string, budget: number): string => `${tuner} ${budget}`;

async function measure(dimensions: number, { budgets, seeds }: Extent, peer: Peer | null): Promise<Medians> {
  const medians: Medians = new Map();
  const evaluations = Math.max(...budgets);
  for (let number = 1; number <= FUNCTIONS; number++) {
    const regrets = new Map<string, Regrets[]>();
    const note = (tuner: string, found: Regrets): unknown => regrets.set(tuner, [...(regrets.get(tuner) ?? []), found]);
    for (let seed = 1; seed <= seeds; seed++) {
      const objective = bbob(number, dimensions, seed);
      for (const advisor of [random, ...models])
        note(advisor.name, runStudy(advisor, objective, { evaluations, seed }));
      if (peer !== null) note('optuna', await peer.runStudy(objective, { evaluations, seed }));
    }
    for (const [tuner, studies] of regrets) {
      for (const budget of budgets) {
        const key = keyOf(tuner, budget);
        medians.set(key, [...(medians.get(key) ?? []), median(studies.map((study) => study[budget - 1] ?? 0))]);
      }
    }
  }
  return medians;
}

interface Comparison {
  name: Advisor['name'];
  budget: number;
  dimensions: number;
  seeds: number;
}

function* compare(medians: Medians, { name, budget, dimensions, seeds }: Comparison): Iterable<Figure> {
  const at = (tuner: string): readonly number[] | undefined => medians.get(keyOf(tuner, budget));
  const own = at(name) ?? [];
  const figure = (against: string, value: number, bar?: number): Figure => ({
    bench: 'tuning',
    name: `${name}-d${dimensions}-${budget}-${against}`,
    value,
    unit: 'of 24',
    ...(bar === undefined ? {} : { bar }),
    ok: bar === undefined ? null : value >= bar,
    note: `functions with a median regret over ${seeds} seeds ${relation[against]}`,
  });
  const isBelow = (regret: number, i: number): boolean => regret < (at('random')?.[i] ?? 0);
  yield figure('random', own.filter(isBelow).length, budget < BAR_RANDOM_AFTER ? undefined : BAR_RANDOM);
  const optuna = at('optuna');
  if (optuna === undefined) yield { ...figure('optuna', 0), bar: BAR_PEER, note: howToGetPeer };
  else yield figure('optuna', own.filter((regret, i) => regret <= (optuna[i] ?? 0)).length, BAR_PEER);
}

const relation: Record<string, string> = {
  random: 'below random search',
  optuna: "no larger than Optuna's TPE",
};

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
