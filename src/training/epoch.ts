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

/** The batches of an epoch that one worker trains of those that all workers train meanwhile. */
export interface EpochShare {
  order: Int32Array;
  range: BatchRange;
  epoch: number;
  epochs: number;
  /** Batches of the epoch that are trained before, by all workers. */
  step: number;
  /** Number of workers: each of them trains one batch while this one does. */
  seats: number;
}

/**
 * Trains a share in runs of the recipe's length. Returns the sum of its losses, or null if `stopNow` ended it between
 * two runs.
 */
export async function trainShare(
  trial: PreparedTrial,
  trainer: Trainer,
  share: EpochShare,
  stopNow: () => boolean = () => false,
): Promise<number | null> {
  const { range } = share;
  let lossSum = 0;
  for (let from = range.from; from < range.to; from += trial.recipe.stepsPerRun) {
    if (stopNow()) return null;
    const run = { from, to: Math.min(range.to, from + trial.recipe.stepsPerRun) };
    for (const loss of await trainRun(trial, trainer, { share, run })) lossSum += loss;
  }
  return lossSum;
}

function trainRun(
  trial: PreparedTrial,
  trainer: Trainer,
  { share, run }: { share: EpochShare; run: BatchRange },
): Promise<Float32Array> {
  const { order, range, epoch, epochs, step, seats } = share;
  const first = epoch * trial.stepsPerEpoch;
  const rows = order.subarray(run.from * trial.batch, run.to * trial.batch);
  const done = first + step + (run.from - range.from) * seats;
  const steps = batchesOf(trial, rows, first + run.from).map((batch, k) =>
    stepOf(trial, batch, { step: first + run.from + k, done: done + k * seats, epochs }),
  );
  return trainer.run(steps, trial.recipe);
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
