import type { Figure } from './figure.ts';
import { bbobBench, tunerNames } from './tuning/bbob-bench.ts';
import { costudyBench } from './tuning/costudy-bench.ts';
import { killsBench } from './tuning/kills.ts';
import { manyTrialsBench } from './tuning/many-trials.ts';
import { sameTimeBench } from './tuning/same-time.ts';
import { workersBench } from './tuning/workers-bench.ts';

export interface TuningOptions {
  quick: boolean;
  /** Compares Study and CoStudy instead, on the data set of that name. */
  costudy?: string | undefined;
  /** Kills as many processes during a study of as many trials instead. */
  kills?: string | undefined;
  /** Measures only the advisor in a study of as many trials instead. */
  trials?: string | undefined;
  /** Increases the number of workers with sleeping trials, and a thousand that only claim, instead. */
  workers?: boolean | undefined;
  /** Compares with Optuna and PyTorch at the same wall time instead: `minutes` for each. */
  peer?: boolean | undefined;
  minutes?: string | undefined;
  seeds?: string | undefined;
  /** Names separated by commas: the tuners of the BBOB comparison to measure. */
  tuners?: string | undefined;
}

/** Advisors on the BBOB functions; or one of the other experiments of tuning. Earlier measurements are kept. */
export function tuningBench(options: TuningOptions): AsyncIterable<Figure> {
  const { quick, costudy, kills, trials, workers, peer, minutes, seeds, tuners } = options;
  if (costudy !== undefined) return costudyBench({ data: costudy, seeds: Number(seeds ?? 5) });
  if (kills !== undefined) return killsBench(Number(kills));
  if (trials !== undefined) return manyTrialsBench(Number(trials));
  if (workers) return workersBench(quick);
  if (peer) return sameTimeBench({ minutes: Number(minutes ?? 3), seeds: Number(seeds ?? 3) });
  const chosen = tuners?.split(',') ?? tunerNames;
  if (quick) return bbobBench({ dimensions: [2], budgets: [50], seeds: 3, tuners: chosen, kept: false });
  return bbobBench({
    dimensions: [2, 5, 10],
    budgets: [50, 200],
    seeds: Number(seeds ?? 15),
    tuners: chosen,
    kept: true,
  });
}
