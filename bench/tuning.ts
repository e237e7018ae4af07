import type { Figure } from './figure.ts';
import { bbobBench, tunerNames } from './tuning/bbob-bench.ts';
import { costudyBench } from './tuning/costudy-bench.ts';
import { killsBench } from './tuning/kills.ts';
import { manyTrialsBench } from './tuning/many-trials.ts';
import { sameTimeBench } from './tuning/same-time.ts';
import { workersBench } from './tuning/workers-bench.ts';

export interface TuningOptions {
  quick: boolean;
  /** Study against CoStudy instead, on the data set of that name. */
  costudy?: string | undefined;
  /** So many kills of processes during a study of as many trials instead. */
  kills?: string | undefined;
  /** An advisor alone in a study of so many trials instead. */
  trials?: string | undefined;
  /** Ever more workers on trials that sleep, and a thousand that only claim, instead. */
  workers?: boolean | undefined;
  /** The same wall time as Optuna and PyTorch instead: `minutes` for each. */
  peer?: boolean | undefined;
  minutes?: string | undefined;
  seeds?: string | undefined;
  /** Names with commas between: what this run measures of the BBOB comparison. */
  tuners?: string | undefined;
}

/** Advisors on the BBOB functions; or one of the other experiments of tuning. What was measured before is kept. */
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
