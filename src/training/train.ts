import { kindOf } from '../domain/kinds/registry.ts';
import type { TimeLeft, TrainingHooks, TrainingReport, TrainingResult, TrainingSpec } from '../domain/training.ts';
import { allKnobs } from '../models/knobs.ts';
import type { Learner } from '../models/learner.ts';
import { familyByName, isNetwork } from '../models/registry.ts';
import { systemClock } from '../runtime/clock.ts';
import { type Best, freshProgress, type Progress, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { NetworkLearner } from './network-learner.ts';
import { checkRows } from './trial.ts';

/** Trains one trial: the best epoch's model, its score, and the model file. Does not use the database. */
export async function trainTrial(spec: TrainingSpec, hooks: TrainingHooks): Promise<TrainingResult> {
  const learner = await createLearner(spec, hooks);
  try {
    const run = { spec, learner, hooks, progress: await begin(learner, hooks) };
    const state = await trainEpochs(run);
    return await resultOf(run, state);
  } finally {
    await learner.release();
  }
}

async function createLearner(spec: TrainingSpec, { team, growing, resume }: TrainingHooks): Promise<Learner> {
  const family = familyByName(spec.family);
  if (isNetwork(family)) return NetworkLearner.create(spec, team, { replaced: resume !== undefined });
  checkRows(spec.data);
  return family.learner({ ...spec, knobs: allKnobs(family, spec) }, growing);
}

interface TrainingRun {
  spec: TrainingSpec;
  learner: Learner;
  hooks: TrainingHooks;
  progress: Progress;
}

/** The position of the checkpoint, or before the first epoch. */
async function begin(learner: Learner, hooks: TrainingHooks): Promise<Progress> {
  const { resume, timeLeft, epochSeconds, warmStart } = hooks;
  if (resume !== undefined) return readCheckpoint(resume, learner);
  const progress = freshProgress(learner.epochs);
  if (timeLeft !== undefined && epochSeconds !== undefined) {
    progress.epochSeconds = epochSeconds;
    planEpochs(learner, progress, timeLeft());
  }
  const { sharing } = learner;
  if (sharing !== undefined && warmStart) sharing.setInitialWeights(await warmStart(sharing.requested));
  return progress;
}

async function trainEpochs(run: TrainingRun): Promise<TrainingResult['state']> {
  const { learner, hooks, progress } = run;
  while (progress.epoch < progress.epochs && !isOver(run)) {
    if (!(await trainEpoch(run))) return 'stopped';
    const report = await finishEpoch(run);
    if ((await hooks.onReport(report, learner.sharing?.published)) === 'stop') return 'stopped';
  }
  return 'completed';
}

/** Whether the learner has had its patience without a better epoch. */
function isOver({ learner: { patience }, hooks, progress: { best, epoch } }: TrainingRun): boolean {
  if (patience === undefined || best === null || hooks.keepsLast === true) return false;
  return epoch - best.epoch >= patience;
}

/** Trains the rest of the current epoch. Returns false if training is to stop before its end and there is a best epoch already. */
async function trainEpoch({ learner, hooks, progress }: TrainingRun): Promise<boolean> {
  const stopNow = (): boolean => progress.best !== null && hooks.stopNow?.() === true;
  while (progress.step < learner.stepsPerEpoch) {
    const startedMs = systemClock.nowMs();
    const trained = await learner.train(progress, stopNow);
    if (trained === null) return false;
    progress.lossSum += trained.lossSum;
    progress.step += trained.steps;
    progress.seconds += (systemClock.nowMs() - startedMs) / 1000;
    if (learner.savesState !== false) await hooks.onCheckpoint(() => writeCheckpoint(progress, learner));
  }
  return true;
}

/** Validates the model as it is, keeps it if none before was better, and advances to the next epoch. */
async function finishEpoch({ spec, learner, hooks, progress }: TrainingRun): Promise<TrainingReport> {
  const startedMs = systemClock.nowMs();
  const kind = kindOf(spec.task);
  const { answers, parts } = await learner.validated();
  const scores = kind.score(answers, spec.data.valid.labels, { classes: spec.data.classes, metric: spec.metric });
  const { score, metrics } = scores;
  const loss = progress.lossSum / learner.stepsPerEpoch;
  progress.epoch++;
  if (progress.best === null || isBetter(learner, kind.rank(scores), kind.rank(progress.best)) || hooks.keepsLast)
    progress.best = {
      score,
      metrics,
      epoch: progress.epoch,
      parts: parts(),
      ...{ predictions: kind.ballots(answers), kept: kind.kept(answers) },
    };
  progress.step = 0;
  progress.lossSum = 0;
  progress.seconds += (systemClock.nowMs() - startedMs) / 1000;
  const newest = progress.seconds - progress.epochStart;
  progress.epochSeconds += (progress.epoch === 1 ? 1 : NEWEST) * (newest - progress.epochSeconds);
  progress.epochStart = progress.seconds;
  if (hooks.timeLeft) planEpochs(learner, progress, hooks.timeLeft());
  const { epoch, epochs, seconds } = progress;
  return { epoch, epochs, step: learner.steps, loss, score, metrics, seconds };
}

/** Of equal epochs the one that `keptEpoch` names: a learner with patience waits for a better one. */
const isBetter = ({ patience }: Learner, rank: number, best: number): boolean =>
  patience === undefined ? rank >= best : rank > best;

/** Weight of the newest epoch in the pace, which changes when workers join or leave. */
const NEWEST = 0.5;

/** As many epochs as fit into the trial's share of time at the pace so far, within their bounds and the study's time; one at least. */
function planEpochs(
  { epochs }: Learner,
  progress: Progress,
  { studySeconds, shareSeconds, ...bounds }: TimeLeft,
): void {
  const within = (seconds: number): number => progress.epoch + Math.max(0, Math.floor(seconds / progress.epochSeconds));
  const planned = Math.max(within(shareSeconds), Math.ceil(bounds.minEpochs * epochs));
  progress.epochs = Math.max(1, Math.min(Math.ceil(bounds.maxEpochs * epochs), planned, within(studySeconds)));
}

async function resultOf({ learner, progress }: TrainingRun, state: TrainingResult['state']): Promise<TrainingResult> {
  const { score, metrics, parts, predictions, kept }: Best = progress.best as Best;
  const { epoch: epochs, seconds } = progress;
  return { state, score, metrics, epochs, seconds, predictions, kept, ...(await learner.exported(parts)) };
}
