import type { TimeLeft, TrainingHooks, TrainingReport, TrainingResult, TrainingSpec } from '../domain/training.ts';
import { answerAll } from '../engine/evaluate.ts';
import { Trainer } from '../engine/trainer.ts';
import { exportModel, inferenceGraph } from '../graph/inference-graph.ts';
import { encodeModel } from '../graph/onnx.ts';
import type { Recipe, Weights } from '../models/family.ts';
import { systemClock } from '../runtime/clock.ts';
import { type Best, freshProgress, type Progress, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { orderOf, trainShare } from './epoch.ts';
import { int8Variant } from './int8.ts';
import { ALONE, Rounds } from './joint/rounds.ts';
import { type PreparedTrial, prepareTrial, trainerOf } from './trial.ts';
import { publishedWeights, requestedTensors } from './warm-start.ts';

/** Trains one trial: the best epoch's weights, its score, and the model file. Does not use the database. */
export async function trainTrial(spec: TrainingSpec, hooks: TrainingHooks): Promise<TrainingResult> {
  const trial = await prepareTrial(spec);
  const trainer = await Trainer.create(trainerOf(trial));
  try {
    const progress = hooks.resume === undefined ? begin(trial.recipe, hooks) : readCheckpoint(hooks.resume, trainer);
    const requested = requestedTensors(trial);
    if (hooks.resume === undefined && hooks.warmStart) trainer.setInitialWeights(await hooks.warmStart(requested));
    const rounds = new Rounds(trial, trainer, hooks.team ?? ALONE);
    let state: TrainingResult['state'] = 'completed';
    while (progress.epoch < progress.epochs && state === 'completed') {
      if (!(await trainEpoch(trial, { trainer, progress, hooks, rounds }))) {
        state = 'stopped';
        break;
      }
      const report = await finishEpoch(trial, { trainer, progress, hooks, rounds });
      if ((await hooks.onReport(report, () => publishedWeights(requested, trainer))) === 'stop') state = 'stopped';
    }
    return await resultOf(trial, progress, state);
  } finally {
    await trainer.release();
  }
}

/** The position before the first epoch. */
function begin(recipe: Recipe, { timeLeft, epochSeconds }: TrainingHooks): Progress {
  const progress = freshProgress(recipe.epochs);
  if (timeLeft === undefined || epochSeconds === undefined) return progress;
  progress.epochSeconds = epochSeconds;
  planEpochs(recipe, progress, timeLeft());
  return progress;
}

interface TrainingRun {
  trainer: Trainer;
  progress: Progress;
  hooks: TrainingHooks;
  rounds: Rounds;
}

/**
 * Trains the rest of the current epoch, in rounds of one or more runs of the recipe's length. Rows that do not fill a
 * batch are left to the next shuffle. Returns false if training is to stop before the end of the epoch and there is a
 * best epoch already.
 */
async function trainEpoch(trial: PreparedTrial, { trainer, progress, hooks, rounds }: TrainingRun): Promise<boolean> {
  const order = orderOf(trial, progress.epoch);
  while (progress.step < trial.stepsPerEpoch) {
    const { epoch, epochs, step } = progress;
    const left = trial.stepsPerEpoch - step;
    const startedMs = systemClock.nowMs();
    const share = await rounds.begin({ epoch, epochs, step }, left);
    const { range, seats } = share;
    const stopNow = (): boolean => progress.best !== null && hooks.stopNow?.() === true;
    const trained = await trainShare(trial, trainer, { order, range, epoch, epochs, step, seats }, stopNow);
    if (trained === null) return false;
    progress.lossSum += trained.lossSum * (share.batches / trained.steps); // the others' losses are not known
    await rounds.end(share);
    progress.step += share.batches;
    progress.seconds += (systemClock.nowMs() - startedMs) / 1000;
    await hooks.onCheckpoint(() => writeCheckpoint(progress, trainer));
  }
  return true;
}

/** Validates the current weights, keeps them if none before were better, and advances to the next epoch. */
async function finishEpoch(trial: PreparedTrial, { trainer, progress, hooks }: TrainingRun): Promise<TrainingReport> {
  const startedMs = systemClock.nowMs();
  const { spec, kind, recipe, deployed, valid, stepsPerEpoch } = trial;
  const weights = deployed.weights(trainer.weights());
  const answers = await answerAll(exportModel(deployed.network, weights), valid, spec.threads);
  const scores = kind.score(answers, spec.data.valid.labels, { classes: spec.data.classes, metric: spec.metric });
  const { score, metrics } = scores;
  const predictions = kind.ballots(answers);
  const loss = progress.lossSum / stepsPerEpoch;

  // of equal epochs the last: the learning rate was lowest
  if (progress.best === null || kind.rank(scores) >= kind.rank(progress.best) || hooks.keepsLast === true)
    progress.best = { score, metrics, weights: copyOf(weights), predictions };
  progress.epoch++;
  progress.step = 0;
  progress.lossSum = 0;
  progress.seconds += (systemClock.nowMs() - startedMs) / 1000;
  const newest = progress.seconds - progress.epochStart;
  progress.epochSeconds += (progress.epoch === 1 ? 1 : NEWEST) * (newest - progress.epochSeconds);
  progress.epochStart = progress.seconds;
  if (hooks.timeLeft) planEpochs(recipe, progress, hooks.timeLeft());
  const { epoch, epochs, seconds } = progress;
  return { epoch, epochs, step: trainer.steps, loss, score, metrics, seconds };
}

/** A copy, because training continues in the same memory. */
const copyOf = (weights: Weights): Weights =>
  Object.fromEntries(Object.entries(weights).map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));

/** Weight of the newest epoch in the pace, which changes when workers join or leave. */
const NEWEST = 0.5;

/** As many epochs as fit into the trial's share of time at the pace so far, within their bounds and the study's time; one at least. */
function planEpochs({ epochs }: Recipe, progress: Progress, { studySeconds, shareSeconds, ...bounds }: TimeLeft): void {
  const within = (seconds: number): number => progress.epoch + Math.max(0, Math.floor(seconds / progress.epochSeconds));
  const planned = Math.max(within(shareSeconds), Math.ceil(bounds.minEpochs * epochs));
  progress.epochs = Math.max(1, Math.min(Math.ceil(bounds.maxEpochs * epochs), planned, within(studySeconds)));
}

async function resultOf(
  trial: PreparedTrial,
  progress: Progress,
  state: TrainingResult['state'],
): Promise<TrainingResult> {
  const { score, metrics, weights, predictions }: Best = progress.best as Best;
  const { epoch: epochs, seconds } = progress;
  const graph = inferenceGraph(trial.deployed.network, weights);
  const model = { onnx: encodeModel(graph), features: trial.features };
  const int8 = await int8Variant(trial, graph);
  return { state, score, metrics, epochs, seconds, model, predictions, variants: int8 === null ? [] : [int8] };
}
