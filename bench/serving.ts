import type { Figure } from './figure.ts';
import { decisionMs } from './serving/decision-time.ts';
import { Experiment } from './serving/experiment.ts';
import { learnFigures } from './serving/learning/learn.ts';
import { manyModelsFigures } from './serving/many-models.ts';
import { memoryFigures } from './serving/memory.ts';
import { drawSines } from './serving/plots.ts';
import { realFigures } from './serving/real.ts';
import { writeReport } from './serving/report.ts';
import { servedFigures } from './serving/served-table.ts';
import { claimFigures, figure, tableFigures } from './serving/table.ts';
import { traceFigures } from './serving/trace.ts';

export interface ServingBenchOptions {
  quick: boolean;
  /** The server itself over SQL instead of the simulator. */
  real?: boolean | undefined;
  /** Duration of the sine on the real server, or of each part with many models. */
  minutes?: string | undefined;
  /** Number of models on the real server, with memory for a fifth of them. */
  models?: string | undefined;
  /** A file of arrival times instead of the table. */
  trace?: string | undefined;
  /** Trains the actor-critic, with its state in this file, instead of the table. */
  learn?: string | undefined;
  /** Only the memory in use while so many images are answered; the table has it for fewer. */
  images?: string | undefined;
}

/**
 * The server's scheduling on simulated time: as it is deployed, and every policy in the paper's topology compared with the
 * clairvoyant bound. With `--quick` one seed, and no results are stored.
 */
export async function* servingBench({
  quick,
  real,
  minutes,
  models,
  trace,
  learn,
  images,
}: ServingBenchOptions): AsyncIterable<Figure> {
  if (real) {
    yield* realFigures({ minutes: Number(minutes ?? (quick ? 1 : 10)) });
    return;
  }
  if (models !== undefined) {
    yield* manyModelsFigures({ models: Number(models), minutes: Number(minutes ?? (quick ? 0.25 : 2)) });
    return;
  }
  if (trace !== undefined) {
    yield* traceFigures(trace);
    return;
  }
  if (learn !== undefined) {
    yield* learnFigures(learn);
    return;
  }
  if (images !== undefined) {
    yield* memoryFigures(Number(images));
    return;
  }
  const seeds = quick ? 1 : 5;
  const report: Record<'deployed' | 'paper', Figure[]> = { deployed: [], paper: [] };
  for await (const each of servedFigures({ isKept: !quick, seeds })) {
    report.deployed.push(each);
    yield each;
  }
  for await (const each of paperFigures(quick, seeds)) {
    report.paper.push(each);
    yield each;
  }
  if (quick) return;
  drawSines();
  writeReport(report);
}

/** The paper's topology: a device for each model. */
async function* paperFigures(quick: boolean, seeds: number): AsyncIterable<Figure> {
  yield figure('decision-p99', decisionMs(4000), 'CPU ms', { max: 1 });
  const experiment = new Experiment({ isKept: !quick });
  yield* tableFigures(experiment, seeds);
  yield* claimFigures(experiment, seeds);
}
