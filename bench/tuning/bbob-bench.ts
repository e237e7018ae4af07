import { advisorByName } from '../../src/advisors/registry.ts';
import type { Figure } from '../figure.ts';
import { bbob, FUNCTIONS } from './bbob/functions.ts';
import { howToGetPeer, Peer } from './peer.ts';
import { Results } from './results.ts';
import { runStudy } from './study.ts';

const DIMENSIONS = [2, 5, 10];
const BUDGETS = [50, 200];
const EVALUATIONS = Math.max(...BUDGETS);

/** On how many of the 24 functions the median regret must be smaller than random search's, after so many evaluations. */
const BAR_RANDOM = 20;
const BAR_RANDOM_AFTER = 200;
/** On how many it must be no larger than Optuna's. */
const BAR_PEER = 12;

const PEER = 'optuna';
const advisorNames = ['random', 'tpe', 'bayesian'];
export const tunerNames = [PEER, ...advisorNames];

interface BbobOptions {
  seeds: number;
  /** Those measured in this run; what others measured before is compared with. */
  tuners: readonly string[];
}

/** Model-based advisors on the BBOB functions, against random search and Optuna's TPE. */
export async function* bbobBench({ seeds, tuners }: BbobOptions): AsyncIterable<Figure> {
  const results = new Map(tunerNames.map((name) => [name, resultsOf(name)]));
  for (const name of tuners) {
    const own = results.get(name);
    if (own !== undefined) await measure(name, own, seeds);
  }
  for (const dimensions of DIMENSIONS) {
    for (const budget of BUDGETS) {
      const medians = new Map([...results].map(([name, own]) => [name, mediansOf(own, { dimensions, budget, seeds })]));
      for (const name of ['tpe', 'bayesian']) yield* compare(medians, { name, budget, dimensions, seeds });
    }
  }
}

const resultsOf = (tuner: string): Results =>
  new Results(`bbob/${tuner}.csv`, ['dimensions', 'function', 'seed', ...BUDGETS.map((budget) => `after${budget}`)]);

async function measure(tuner: string, results: Results, seeds: number): Promise<void> {
  const peer = tuner === PEER ? await Peer.start() : null;
  if (tuner === PEER && peer === null) return;
  try {
    // seed by seed, so that what an interrupted run has measured can be compared
    for (let seed = 1; seed <= seeds; seed++) {
      for (const dimensions of DIMENSIONS) {
        for (let number = 1; number <= FUNCTIONS; number++) {
          if (results.has(dimensions, number, seed)) continue;
          const objective = bbob(number, dimensions, seed);
          const budget = { evaluations: EVALUATIONS, seed };
          const regrets =
            peer === null
              ? runStudy(advisorByName(tuner), objective, budget)
              : await peer.runStudy(objective, budget);
          results.add(dimensions, number, seed, ...BUDGETS.map((each) => (regrets[each - 1] ?? 0).toPrecision(4)));
        }
      }
    }
  } finally {
    peer?.stop();
  }
}

interface Place {
  dimensions: number;
  budget: number;
  seeds: number;
}

/** Median regret of each function; undefined where a seed is still missing. */
function mediansOf({ rows }: Results, { dimensions, budget, seeds }: Place): number[] | undefined {
  const column = 3 + BUDGETS.indexOf(budget);
  const medians = Array.from({ length: FUNCTIONS }, (_, i) => {
    const regrets = rows
      .filter((row) => Number(row[0]) === dimensions && Number(row[1]) === i + 1 && Number(row[2]) <= seeds)
      .map((row) => Number(row[column]));
    return regrets.length < seeds ? undefined : median(regrets);
  });
  return medians.every((value) => value !== undefined) ? medians : undefined;
}

interface Comparison extends Place {
  name: string;
}

function* compare(
  medians: ReadonlyMap<string, number[] | undefined>,
  { name, budget, dimensions, seeds }: Comparison,
): Iterable<Figure> {
  const own = medians.get(name);
  const count = (against: string, holds: (regret: number, other: number) => boolean): number | undefined => {
    const others = medians.get(against);
    return own && others && own.filter((regret, i) => holds(regret, others[i] as number)).length;
  };
  const figure = (against: string, value: number | undefined, bar: number | undefined): Figure => ({
    bench: 'tuning',
    name: `${name}-d${dimensions}-${budget}-${against}`,
    value: value ?? 0,
    unit: 'of 24',
    ...(bar === undefined ? {} : { bar }),
    ok: bar === undefined || value === undefined ? null : value >= bar,
    note: value === undefined ? missing(against) : `functions with a median regret over ${seeds} seeds ${relation[against]}`,
  });
  const isBelow = (regret: number, other: number): boolean => regret < other;
  const isNotAbove = (regret: number, other: number): boolean => regret <= other;
  yield figure('random', count('random', isBelow), budget < BAR_RANDOM_AFTER ? undefined : BAR_RANDOM);
  yield figure(PEER, count(PEER, isNotAbove), BAR_PEER);
}

const relation: Record<string, string> = {
  random: 'below random search',
  [PEER]: "no larger than Optuna's TPE",
};

const missing = (against: string): string => `not measured to the end; ${against === PEER ? howToGetPeer : 'run it again'}`;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
