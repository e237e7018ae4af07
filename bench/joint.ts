import { InvalidParameter } from '../src/errors/errors.ts';
import type { Figure } from './figure.ts';
import { teamFaults } from './joint/faults.ts';
import { roundsInFiles } from './joint/files.ts';
import { realRounds } from './joint/real.ts';
import { simulatedRounds } from './joint/simulated.ts';
import { dataSets, isDataName } from './zoo/data.ts';

export interface JointOptions {
  family?: string | undefined;
  data?: string | undefined;
  knobs?: string | undefined;
  seed?: string | undefined;
  workers?: string | undefined;
  /** Rounds on simulated time. */
  simulated?: boolean | undefined;
  /** What a round of workers of one machine costs. */
  files?: boolean | undefined;
  /** Workers that are killed, paused or added during a job. */
  faults?: string | undefined;
}

/** One trial that several workers train: how much sooner it ends, and what the exchange costs. */
export async function* jointBench(options: JointOptions): AsyncIterable<Figure> {
  if (options.simulated) return yield* simulatedRounds();
  if (options.files) return yield* roundsInFiles();
  const seed = Number(options.seed ?? '1');
  if (options.faults !== undefined) return yield* teamFaults(Number(options.faults), { seed, knobs: options.knobs });
  const { family = 'resnet', data = 'cifar10', knobs = '{"width": 16, "epochs": 8}', workers = '2' } = options;
  if (!isDataName(data)) {
    throw new InvalidParameter(`bench joint has no data set "${data}"`, {
      hint: `Data sets: ${Object.keys(dataSets).join(', ')}.`,
    });
  }
  yield* realRounds({ family, data, knobs, seed, workers: Number(workers) });
}
