import type { BatchRange } from '../domain/joint-training.ts';
import type { TrainingStep } from '../engine/feeds.ts';
import type { Trainer } from '../engine/trainer.ts';
import { rateAt } from '../graph/optimisers/schedule.ts';
import { createRng, deriveSeed } from '../runtime/rng.ts';
import { balancedOrder, shuffledOrder } from './row-order.ts';
import type { PreparedTrial } from './trial.ts';

/** Random streams derived from a trial's seed, separate from the engine's. */
const stream = { order: 101, batches: 102, augment: 103 } as const;

/** The rows of an epoch, shuffled for each pass. */
export function orderOf({ spec, kind, train, passes }: PreparedTrial, epoch: number): Int32Array {
  const classes = kind.truth(spec.data.train.labels);
  const rng = createRng(deriveSeed(spec.seed, stream.order, epoch));
  if (spec.balanced && classes.length > 0) return balancedOrder(classes, passes, rng);
  return shuffledOrder(train.count, passes, rng);
}

/** Batches of an epoch that one run of the engine trains. */
export interface BatchRun {
  order: Int32Array;
  range: BatchRange;
  epoch: number;
  epochs: number;
  /** Batches of the epoch that are trained before this run, by all workers. */
  done: number;
  /** Batches that all workers train while this one trains one. */
  pace: number;
}

/** Trains the batches of a run; returns the sum of their losses. */
export async function trainRun(trial: PreparedTrial, trainer: Trainer, run: BatchRun): Promise<number> {
  const { order, range, epoch, epochs, done, pace } = run;
  const first = epoch * trial.stepsPerEpoch;
  const rows = order.subarray(range.from * trial.batch, range.to * trial.batch);
  const batches = batchesOf(trial, rows, first + range.from);
  const steps = batches.map((batch, k) =>
    stepOf(trial, batch, { step: first + range.from + k, done: first + done + k * pace, epochs }),
  );
  const losses = await trainer.run(steps, trial.recipe);
  return losses.reduce((sum, loss) => sum + loss, 0);
}

/** A run's rows in batches of similar length, in random order. */
function batchesOf({ spec, train, batch }: PreparedTrial, rows: Int32Array, step: number): Int32Array[] {
  const sorted = rows.slice().sort((a, b) => train.length(a) - train.length(b));
  const places = createRng(deriveSeed(spec.seed, stream.batches, step)).shuffle(
    Int32Array.from({ length: rows.length / batch }, (_, i) => i),
  );
  return Array.from(places, (place) => sorted.subarray(place * batch, (place + 1) * batch));
}

/** `step` numbers the batch, `done` those that are trained before it: with several workers they differ. */
function stepOf(
  { spec, recipe, train, stepsPerEpoch }: PreparedTrial,
  rows: Int32Array,
  { step, done, epochs }: { step: number; done: number; epochs: number },
): TrainingStep {
  const total = epochs * stepsPerEpoch;
  const rng = createRng(deriveSeed(spec.seed, stream.augment, step));
  return {
    ...train.batch(rows, { rng, progress: Math.min(1, done / total) }),
    learningRate: rateAt(done, { peak: recipe.learningRate, total, schedule: recipe.schedule }),
  };
}
