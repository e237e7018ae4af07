import { accuracy, macroF1 } from '../domain/metrics.ts';
import type {
  FittedFeatures,
  TrainingHooks,
  TrainingReport,
  TrainingResult,
  TrainingSpec,
} from '../domain/training.ts';
import { predictAll } from '../engine/evaluate.ts';
import type { Step } from '../engine/feeds.ts';
import { rateAt } from '../engine/schedule.ts';
import { Trainer } from '../engine/trainer.ts';
import { BadData } from '../errors/errors.ts';
import type { EncodedRows } from '../features/encoder.ts';
import { createEncoder } from '../features/registry.ts';
import { exportModel } from '../graph/inference-graph.ts';
import type { Network } from '../graph/network.ts';
import type { Family, Recipe } from '../models/family.ts';
import { familyByName } from '../models/registry.ts';
import { systemClock } from '../runtime/clock.ts';
import { createRng, deriveSeed } from '../runtime/rng.ts';
import { type Best, freshProgress, type Progress, readCheckpoint, writeCheckpoint } from './checkpoint.ts';

/** Few rows go in smaller batches: 40 rows in batches of 64 would make ten steps in ten epochs, and learn nothing. */
const leastStepsPerEpoch = 16;

/** Streams of random numbers drawn from a trial's seed, apart from the engine's own. */
const stream = { order: 101, batches: 102, augment: 103 } as const;

/** A trial's parts, made anew from its spec: they are the same on every attempt. */
interface Trial {
  spec: TrainingSpec;
  family: Family;
  recipe: Recipe;
  features: FittedFeatures;
  network: Network;
  train: EncodedRows;
  valid: EncodedRows;
  batch: number;
  stepsPerEpoch: number;
}

/** Trains one trial: the best epoch's weights, its score, and the file that serving loads. Touches no database. */
export async function trainTrial(spec: TrainingSpec, hooks: TrainingHooks): Promise<TrainingResult> {
  const trial = await prepare(spec);
  const { network, recipe, batch } = trial;
  const { optimiser, epochs } = recipe;
  const trainer = await Trainer.create({ network, optimiser, batch, threads: spec.threads, seed: spec.seed });
  try {
    const progress = hooks.resume === undefined ? freshProgress() : readCheckpoint(hooks.resume, trainer);
    let state: TrainingResult['state'] = 'completed';
    while (progress.epoch < epochs && state === 'completed') {
      await trainEpoch(trial, { trainer, progress, hooks });
      const report = await finishEpoch(trial, trainer, progress);
      if ((await hooks.onReport(report)) === 'stop') state = 'stopped';
    }
    return resultOf(trial, progress, state);
  } finally {
    await trainer.release();
  }
}

async function prepare(spec: TrainingSpec): Promise<Trial> {
  const { train, valid, classes } = spec.data;
  if (train.inputs.length === 0 || valid.inputs.length === 0) {
    throw new BadData('there are too few rows to train and validate', {
      detail: `${train.inputs.length} rows to train on, ${valid.inputs.length} to validate on`,
      hint: 'Add labelled rows, or change the share that is kept for validation.',
    });
  }
  const family = familyByName(spec.family);
  const knobs = { ...family.space(spec.task).initial(), ...spec.knobs };
  const recipe = family.recipe(knobs);
  const features = await family.fit({ inputs: train.inputs, classes }, knobs);
  const encoder = createEncoder(features);
  const batch = Math.min(recipe.batch, Math.ceil(train.inputs.length / leastStepsPerEpoch));
  return {
    spec: { ...spec, knobs },
    family,
    recipe,
    features,
    network: family.network(features, knobs),
    train: await encoder.prepare(train.inputs),
    valid: await encoder.prepare(valid.inputs),
    batch,
    stepsPerEpoch: Math.floor(train.inputs.length / batch),
  };
}

interface Course {
  trainer: Trainer;
  progress: Progress;
  hooks: TrainingHooks;
}

/** The rest of the current epoch, in runs of the recipe's length. Rows that do not fill a batch wait for another shuffle. */
async function trainEpoch(trial: Trial, { trainer, progress, hooks }: Course): Promise<void> {
  const { momentum, weightDecay, dropout, stepsPerRun } = trial.recipe;
  const order = Int32Array.from({ length: trial.train.count }, (_, i) => i);
  createRng(deriveSeed(trial.spec.seed, stream.order, progress.epoch)).shuffle(order);
  while (progress.step < trial.stepsPerEpoch) {
    const startedMs = systemClock.nowMs();
    const count = Math.min(stepsPerRun, trial.stepsPerEpoch - progress.step);
    const batches = batchesOf(
      trial,
      order.subarray(progress.step * trial.batch, (progress.step + count) * trial.batch),
      trainer.steps,
    );
    const steps = batches.map((rows, k) => stepOf(trial, rows, trainer.steps + k));
    const losses = await trainer.run(steps, { momentum, weightDecay, dropout });
    progress.step += count;
    for (const loss of losses) progress.lossSum += loss;
    progress.seconds += (systemClock.nowMs() - startedMs) / 1000;
    await hooks.onCheckpoint(() => writeCheckpoint(progress, trainer));
  }
}

/** The rows of a run cut into batches of rows alike in length, which come in random order. */
function batchesOf({ spec, train, batch }: Trial, rows: Int32Array, step: number): Int32Array[] {
  const sorted = rows.slice().sort((a, b) => train.length(a) - train.length(b));
  const places = createRng(deriveSeed(spec.seed, stream.batches, step)).shuffle(
    Int32Array.from({ length: rows.length / batch }, (_, i) => i),
  );
  return Array.from(places, (place) => sorted.subarray(place * batch, (place + 1) * batch));
}

function stepOf(trial: Trial, rows: Int32Array, step: number): Step {
  const { spec, family, recipe, stepsPerEpoch, network } = trial;
  const inputs = trial.train.batch(rows);
  family.augment?.(inputs, spec.knobs, createRng(deriveSeed(spec.seed, stream.augment, step)));
  return {
    inputs,
    targets: targetsOf(rows, spec.data.train.labels, { classes: network.classes, smoothing: recipe.labelSmoothing }),
    learningRate: rateAt(step, { peak: recipe.learningRate, total: recipe.epochs * stepsPerEpoch }),
  };
}

/** [B, classes]: 1 − s on the label and s spread evenly over all classes. */
function targetsOf(
  rows: Int32Array,
  labels: Int32Array,
  { classes, smoothing }: { classes: number; smoothing: number },
): Float32Array {
  const targets = new Float32Array(rows.length * classes).fill(smoothing / classes);
  rows.forEach((row, i) => {
    targets[i * classes + (labels[row] as number)]! += 1 - smoothing;
  });
  return targets;
}

/** Validates the weights as they are, keeps them if they are the best so far, and moves on to the next epoch. */
async function finishEpoch(trial: Trial, trainer: Trainer, progress: Progress): Promise<TrainingReport> {
  const startedMs = systemClock.nowMs();
  const { spec, recipe, valid, stepsPerEpoch } = trial;
  const { labels } = spec.data.valid;
  const onnx = exportTrained(trial, trainer);
  const predictions = await predictAll(onnx, valid, spec.threads);
  const score = accuracy(predictions, labels);
  const metrics = { macro_f1: macroF1(predictions, labels, spec.data.classes.length) };
  const loss = progress.lossSum / stepsPerEpoch;

  if (progress.best === null || score > progress.best.score) progress.best = { score, metrics, onnx, predictions };
  progress.epoch++;
  progress.step = 0;
  progress.lossSum = 0;
  progress.seconds += (systemClock.nowMs() - startedMs) / 1000;
  const { epoch, seconds } = progress;
  return { epoch, epochs: recipe.epochs, step: trainer.steps, loss, score, metrics, seconds };
}

function exportTrained({ family, network }: Trial, trainer: Trainer): Uint8Array {
  const weights = trainer.weights();
  const deployed = family.compact?.(network, weights) ?? { network, weights };
  return exportModel(deployed.network, deployed.weights);
}

function resultOf({ features }: Trial, progress: Progress, state: TrainingResult['state']): TrainingResult {
  const { score, metrics, onnx, predictions }: Best = progress.best as Best;
  const { epoch: epochs, seconds } = progress;
  return { state, score, metrics, epochs, seconds, model: { onnx, features }, predictions };
}
