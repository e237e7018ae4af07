import { readDataFile } from '../datasets/data-file.ts';
import { countTrained, snapshotHash, splitRows, trainedInputs, validationHash } from '../datasets/split.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import type { DataSet } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { TimeLeft, TrainingHooks, TrainingReport, TrainingSpec } from '../domain/training.ts';
import type { StartWeights, WantedTensor } from '../domain/warm-start.ts';
import { computeWith } from '../engine/computing.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { systemClock } from '../runtime/clock.ts';
import { failpoint } from '../runtime/failpoint.ts';
import { createLogger } from '../runtime/logger.ts';
import { yieldPriority } from '../runtime/priority.ts';
import { fitToTime } from './fit-to-time.ts';
import { scoreIncumbent } from './incumbent.ts';
import type { Assignment, FromChild, ToChild } from './messages.ts';
import { trainTrial } from './train.ts';

// The process that trains one trial. It knows no database and no other trial: when it dies, only this attempt is lost.
// It stays until the parent, having heard everything, ends it.

/** Weights larger than this are published once, at the end of the trial: to store them takes longer than an epoch. */
const LARGE_BYTES = 64 * 2 ** 20;

/** Predictions on the same machine come first. */
const YIELD = 10;

type ParentAnswer = Extract<ToChild, { kind: 'answer' }>;

const startedMs = systemClock.nowMs();

/** What the parent said that training has yet to look at. */
let checkpointWanted = false;
let storing = false;
let stopWanted = false;
let onAnswer: ((answer: ParentAnswer) => void) | undefined;
let onStart: ((tensors: Record<string, TensorData>) => void) | undefined;

void tell({ kind: 'began' });
process.on('disconnect', () => process.exit(1)); // nobody is left to hear the result
process.on('SIGINT', () => undefined); // Ctrl-C reaches us too: the worker stops us, once it has a checkpoint
process.on('message', (message: ToChild) => {
  if (message.kind === 'assignment') void run(message);
  else if (message.kind === 'answer') onAnswer?.(message);
  else if (message.kind === 'start') onStart?.(message.tensors);
  else if (message.kind === 'checkpoint') checkpointWanted = true;
  else if (message.kind === 'stop') stopWanted = true;
  else storing = false;
});

async function run(assignment: Assignment): Promise<void> {
  const { task, family, knobs, seed, threads, dataFile, validation, metric, balanced } = assignment;
  try {
    computeWith({ ...assignment.computing, logger: createLogger('engine', assignment.logLevel) });
    yieldPriority(YIELD);
    const data = splitRows(await readDataFile(dataFile, task), { task, validation });
    await scoreFirst(assignment, data);
    const asked = { task, family, knobs, seed, threads, data, metric, balanced };
    const spec = assignment.resume === undefined ? await inTime(asked, assignment) : asked;
    const result = await trainTrial(spec, hooksOf(assignment, snapshotHash(data)));
    const validated = {
      hash: validationHash(data),
      classes: data.classes,
      labels: kindOf(task).truth(data.valid.labels),
      trained: trainedInputs(data),
    };
    await tell({ kind: 'finished', result, validated });
  } catch (error) {
    await tell({ kind: 'failed', error: reportError(error) });
  }
}

/** The same with a smaller network where time is short; whoever reads the trial's knobs is told. */
async function inTime(spec: TrainingSpec, { time, chosenKnobs }: Assignment): Promise<TrainingSpec> {
  const knobs = await fitToTime(spec, timeLeft(time), new Set(chosenKnobs));
  if (Object.entries(knobs).every(([name, value]) => spec.knobs[name] === value)) return spec;
  await tell({ kind: 'knobs', knobs });
  return { ...spec, knobs };
}

function timeLeft({ studySeconds, shareSeconds }: TimeLeft): TimeLeft {
  const taken = (systemClock.nowMs() - startedMs) / 1000;
  return { studySeconds: studySeconds - taken, shareSeconds: shareSeconds - taken };
}

/** A deployed model that cannot be scored any more must not keep its successor from being trained. */
async function scoreFirst({ task, incumbent, threads, metric }: Assignment, data: DataSet): Promise<void> {
  if (incumbent === undefined) return;
  const { members, trained: inputs } = incumbent;
  const score = await scoreIncumbent(members, { task, data, threads, metric }).catch(() => undefined);
  const trained = inputs === undefined ? null : countTrained(data.valid.inputs, inputs);
  if (score !== undefined) await tell({ kind: 'incumbent', score, trained });
}

function hooksOf(assignment: Assignment, basis: Uint8Array): TrainingHooks {
  const { resume, checkpointEveryMs, collaborative, time } = assignment;
  let lastMs = systemClock.nowMs();
  return {
    timeLeft: () => timeLeft(time),
    stopNow: () => stopWanted,
    ...(resume === undefined ? {} : { resume }),
    ...(collaborative ? { warmStart: (wanted) => askForStart(wanted, basis) } : {}),
    async onReport(report, weights) {
      const { answer, put } = await askForAnswer(report);
      if (put) await publish(weights(), { report, last: answer === 'stop' || report.epoch >= report.epochs, basis });
      return answer;
    },
    async onCheckpoint(take) {
      const due = checkpointWanted || systemClock.nowMs() - lastMs >= checkpointEveryMs;
      if (!due || storing) return; // one on its way at a time: the store sets the pace
      checkpointWanted = false;
      storing = true;
      await tell({ kind: 'checkpoint', params: take() });
      lastMs = systemClock.nowMs();
    },
  };
}

interface Publication {
  report: TrainingReport;
  /** No better weights will come. */
  last: boolean;
  basis: Uint8Array;
}

async function publish(weights: StartWeights, { report, last, basis }: Publication): Promise<void> {
  const bytes = Object.values(weights.tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
  if (last || bytes <= LARGE_BYTES) await tell({ kind: 'publish', weights, score: report.score, basis });
}

async function askForStart(wanted: readonly WantedTensor[], basis: Uint8Array): Promise<Record<string, TensorData>> {
  const started = new Promise<Record<string, TensorData>>((resolve) => {
    onStart = resolve;
  });
  await tell({ kind: 'start', wanted, basis });
  return started;
}

async function askForAnswer(report: TrainingReport): Promise<ParentAnswer> {
  failpoint('training.report');
  const answered = new Promise<ParentAnswer>((resolve) => {
    onAnswer = resolve;
  });
  await tell({ kind: 'report', report });
  return answered;
}

function tell(message: FromChild): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, undefined, undefined, (error) => (error === null ? resolve() : reject(error)));
  });
}
