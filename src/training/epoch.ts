import type { RowRange } from '../domain/joint-training.ts';
import type { TrainingStep } from '../engine/feeds.ts';
import type { Trainer } from '../engine/trainer.ts';
import { rateAt } from '../graph/optimisers/schedule.ts';
import { createRng, deriveSeed } from '../runtime/rng.ts';
import { type LocalSteps, localRecipe, localSteps } from './joint/local-steps.ts';
import { balancedOrder, shuffledOrder } from './row-order.ts';
import type { PreparedTrial } from './trial.ts';

/** Random streams derived from a trial's seed, separate from the engine's. */
const stream = { order: 101, batches: 102, augment: 103 } as const;

/** The rows of an epoch, shuffled for each pass. */
export function orderOf({ spec, kind, train, passes }: PreparedTrial, epoch: number): Int32Array {
  const classes = kind.truth(spec.data.train.labels);
  const rng = createRng(deriveSeed(spec.seed, stream.order, epoch));
  if (spec.balanced && classes instanceof Uint16Array && classes.length > 0) return balancedOrder(classes, passes, rng);
  return shuffledOrder(train.count, passes, rng);
}

/** The rows of an epoch that one worker trains of those that all workers train meanwhile. */
export interface EpochShare {
  order: Int32Array;
  range: RowRange;
  epoch: number;
  epochs: number;
  /** Batches of the epoch that are trained before, by all workers. */
  step: number;
  /** Number of workers: each of them trains as many rows while this one does. */
  seats: number;
}

export interface TrainedShare {
  /** Of all steps. */
  lossSum: number;
  steps: number;
}

/**
 * Trains a share in runs of the recipe's length; rows that do not fill a batch are left out. Returns null if `stopNow`
 * ended it between two runs.
 */
export async function trainShare(
  trial: PreparedTrial,
  trainer: Trainer,
  share: EpochShare,
  stopNow: () => boolean = () => false,
): Promise<TrainedShare | null> {
  const { range, seats } = share;
  const local = localSteps(trial, seats);
  await trainer.setBatch(local.batch);
  const runSteps = Math.floor((trial.recipe.stepsPerRun * trial.batch) / local.batch);
  const steps = Math.floor((range.to - range.from) / local.batch);
  let lossSum = 0;
  for (let from = 0; from < steps; from += runSteps) {
    if (stopNow()) return null;
    const run = { from, to: Math.min(steps, from + runSteps) };
    for (const loss of await trainRun(trial, trainer, { share, local, run })) lossSum += loss;
  }
  return { lossSum, steps };
}

interface Run {
  share: EpochShare;
  local: LocalSteps;
  /** Steps of the share. */
  run: { from: number; to: number };
}

function trainRun(trial: PreparedTrial, trainer: Trainer, { share, local, run }: Run): Promise<Float32Array> {
  const { order, range, epoch, epochs, step } = share;
  const { batch, span, rate } = local;
  const first = epoch * trial.stepsPerEpoch;
  const rowAt = (k: number): number => range.from + k * batch;
  const seedAt = (k: number): number[] => seedWords(first * trial.batch + rowAt(k), trial.batch);
  const rows = order.subarray(rowAt(run.from), rowAt(run.to));
  const steps = batchesOf(trial, rows, { batch, seed: seedAt(run.from) }).map((own, k) =>
    stepOf(trial, own, { seed: seedAt(run.from + k), done: first + step + (run.from + k) * span, epochs, rate }),
  );
  return trainer.run(steps, localRecipe(trial, local));
}

/** Words that seed what is drawn for a batch from row `row` of all training on: its number, and of a part of a batch, its place in it. */
function seedWords(row: number, batch: number): number[] {
  const place = row % batch;
  return [Math.floor(row / batch), ...(place === 0 ? [] : [place])];
}

/** A run's rows in batches of similar length, in random order. */
function batchesOf(
  { spec, train }: PreparedTrial,
  rows: Int32Array,
  { batch, seed }: { batch: number; seed: readonly number[] },
): Int32Array[] {
  const sorted = rows.slice().sort((a, b) => train.length(a) - train.length(b));
  const places = createRng(deriveSeed(spec.seed, stream.batches, ...seed)).shuffle(
    Int32Array.from({ length: rows.length / batch }, (_, i) => i),
  );
  return Array.from(places, (place) => sorted.subarray(place * batch, (place + 1) * batch));
}

/** `done` is the number of the trial's batches that are trained before. */
function stepOf(
  { spec, recipe, train, stepsPerEpoch }: PreparedTrial,
  rows: Int32Array,
  { seed, done, epochs, rate }: { seed: readonly number[]; done: number; epochs: number; rate: number },
): TrainingStep {
  const total = epochs * stepsPerEpoch;
  const rng = createRng(deriveSeed(spec.seed, stream.augment, ...seed));
  return {
    ...train.batch(rows, { rng, progress: Math.min(1, done / total) }),
    learningRate: rate * rateAt(done, { peak: recipe.learningRate, total, schedule: recipe.schedule }),
  };
}
