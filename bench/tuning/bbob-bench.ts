import { advisorByName } from '../../src/advisors/registry.ts';
import type { Figure } from '../figure.ts';
import { draw } from '../plot.ts';
import { KeptResults, Results } from '../results.ts';
import { bbob, FUNCTIONS, type Objective } from './bbob/functions.ts';
import { howToGetPeer, TuningPeer } from './peer.ts';
import { type Budget, type Regrets, runStudy } from './study.ts';

/** On how many of the 24 functions the median regret must be smaller than random search's, after so many evaluations. */
const BAR_RANDOM = 20;
const BAR_RANDOM_AFTER = 200;
/** On how many functions it must be no larger than Optuna's. */
const BAR_PEER = 12;

const PEER = 'optuna';
const PEERS = 4;
const advisorNames = ['random', 'tpe', 'bayesian'];
export const tunerNames = [PEER, ...advisorNames];

export interface BbobOptions {
  dimensions: readonly number[];
  /** Evaluations after which regrets are compared. */
  budgets: readonly number[];
  seeds: number;
  /** Those measured in this run; they are compared with earlier measurements of the others. */
  tuners: readonly string[];
  /** Whether results are kept in docs/experiments. */
  kept: boolean;
}

/** Model-based advisors on the BBOB functions, compared with random search and Optuna's TPE. */
export async function* bbobBench(options: BbobOptions): AsyncIterable<Figure> {
  const { dimensions, budgets, seeds, tuners, kept } = options;
  const columns = ['dimensions', 'function', 'seed', ...budgets.map((budget) => `after${budget}`)];
  const results = new Map(
    tunerNames.map((name) => [name, kept ? new KeptResults(`bbob/${name}.csv`, columns) : new Results()]),
  );
  for (const name of tuners) {
    const own = results.get(name);
    if (own !== undefined) await measure(name, own, options);
  }
  for (const each of dimensions) {
    for (const [i, budget] of budgets.entries()) {
      const place = { dimensions: each, budget, column: 3 + i, seeds };
      const medians = new Map([...results].map(([name, own]) => [name, mediansOf(own, place)]));
      for (const name of ['tpe', 'bayesian']) yield* compare(medians, { ...place, name });
      if (kept) plot(medians, place);
    }
  }
}

async function measure(tuner: string, results: Results, options: BbobOptions): Promise<void> {
  if (tuner === PEER) return measurePeer(results, options);
  for (const task of missingOf(results, options)) {
    const { objective, budget, keep } = task;
    keep(runStudy(advisorByName(tuner), objective, budget));
  }
}

/** Several in parallel: each mostly waits for the other process. */
async function measurePeer(results: Results, options: BbobOptions): Promise<void> {
  const tasks = missingOf(results, options);
  const peers = await Promise.all(Array.from({ length: PEERS }, () => TuningPeer.start()));
  const lanes = peers.map(async (peer) => {
    if (peer === null) return;
    for (const { objective, budget, keep } of tasks) keep(await peer.runStudy(objective, budget));
    peer.stop();
  });
  await Promise.all(lanes);
}

interface BbobTask {
  objective: Objective;
  budget: Budget;
  keep(regrets: Regrets): void;
}

/** Missing measurements, seed by seed, so that those of an interrupted run can be compared. */
function* missingOf(results: Results, { dimensions, budgets, seeds }: BbobOptions): Generator<BbobTask> {
  for (let seed = 1; seed <= seeds; seed++) {
    for (const each of dimensions) {
      for (let number = 1; number <= FUNCTIONS; number++) {
        if (results.has(each, number, seed)) continue;
        yield {
          objective: bbob(number, each, seed),
          budget: { evaluations: Math.max(...budgets), seed },
          keep: (regrets) =>
            results.add([each, number, seed, ...budgets.map((count) => (regrets[count - 1] ?? 0).toPrecision(4))]),
        };
      }
    }
  }
}

/** Median regret of each function after the budget: one mark for each tuner. */
function plot(medians: ReadonlyMap<string, number[] | undefined>, { dimensions, budget, seeds }: Place): void {
  const curves = [...medians].flatMap(([name, own]) =>
    own === undefined
      ? []
      : [{ name, marks: true, points: own.map((regret, i) => ({ x: i + 1, y: Math.log10(Math.max(regret, 1e-8)) })) }],
  );
  if (curves.length === 0) return;
  draw(`bbob/d${dimensions}-${budget}.svg`, {
    title: `BBOB, dimension ${dimensions}, ${budget} evaluations, median of ${seeds} seeds`,
    x: 'function',
    y: 'log₁₀ of the regret',
    curves,
  });
}

interface Place {
  dimensions: number;
  budget: number;
  /** The column of the results with the regret after the budget. */
  column: number;
  seeds: number;
}

/** Median regret of each function; undefined if a seed is missing. */
function mediansOf({ rows }: Results, { dimensions, column, seeds }: Place): number[] | undefined {
  const medians = Array.from({ length: FUNCTIONS }, (_, i) => {
    const regrets = rows
      .filter((row) => Number(row[0]) === dimensions && Number(row[1]) === i + 1 && Number(row[2]) <= seeds)
      .map((row) => Number(row[column]));
    return regrets.length < seeds ? undefined : median(regrets);
  });
  return medians.every((value) => value !== undefined) ? medians : undefined;
}

interface PeerComparison extends Place {
  name: string;
}

function* compare(
  medians: ReadonlyMap<string, number[] | undefined>,
  { name, budget, dimensions, seeds }: PeerComparison,
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
    note:
      value === undefined
        ? missing(against)
        : `functions with a median regret over ${seeds} seeds ${relation[against]}`,
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

const missing = (against: string): string =>
  `not measured to the end: run it again${against === PEER ? `; or ${howToGetPeer}` : ''}`;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
