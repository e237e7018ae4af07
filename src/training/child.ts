import { EventEmitter } from 'node:events';
import { countTrained, snapshotHash, trainedInputs, validationHash } from '../datasets/split.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import type { DataSet } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { TimeLeft, TrainingHooks, TrainingReport, TrainingSpec } from '../domain/training.ts';
import type { PublishedWeights, RequestedTensor } from '../domain/warm-start.ts';
import { FamilyKilled } from '../errors/errors.ts';
import { isDiskFault } from '../errors/machine-fault.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { systemClock } from '../runtime/clock.ts';
import { failpoint } from '../runtime/failpoint.ts';
import { createLogger } from '../runtime/logger.ts';
import { CheckpointPace } from './checkpoint-pace.ts';
import { type FittedRun, fitTrial } from './fit-trial.ts';
import { scoreIncumbent } from './incumbent.ts';
import { basisOf } from './joint/basis.ts';
import { joinTraining } from './joint/shares.ts';
import { leadOf, teamOf } from './joint/ways.ts';
import type { Assignment, FromChild, JoinAssignment, ToChild } from './messages.ts';
import { prepare, readSplit } from './prepare.ts';
import { otherRows, type Refit, refitSpec, worseThanBefore } from './refit.ts';
import { trainTrial } from './train.ts';
import { commandTime, REFIT_SHARE, type TrialTime, timeOf } from './trial-time.ts';

// Entry point of the process that trains one trial. It has no database connection and no access to other trials: if it
// dies, only this attempt is lost. It runs until the parent, which has received all messages, ends it.

/** Larger weights are published only once, at the end of the trial: storing them takes longer than an epoch. */
const LARGE_BYTES = 64 * 2 ** 20;

type Message<Kind extends ToChild['kind']> = Extract<ToChild, { kind: Kind }>;

const startedMs = systemClock.nowMs();

let checkpointRequested = false;
let stopRequested = false;

/** The parent's messages by kind. */
const parent = new EventEmitter();
parent.once('assignment', (assignment: Assignment) => void run(assignment));
parent.once('join', (assignment: JoinAssignment) => void join(assignment));
parent.on('checkpoint', () => {
  checkpointRequested = true;
});
parent.on('stop', () => {
  stopRequested = true;
});

/** The parent's next message of this kind. */
const next = <Kind extends ToChild['kind']>(kind: Kind): Promise<Message<Kind>> =>
  new Promise((resolve) => {
    parent.once(kind, resolve);
  });

/** The workers of other machines that wait for a round. */
let waiting: Message<'team'>['waiting'] = [];
parent.on('team', (message: Message<'team'>) => {
  waiting = message.waiting;
});

void send({ kind: 'began' });

process.on('disconnect', () => process.exit(1)); // there is no parent to receive the result
process.on('SIGINT', () => undefined); // Ctrl-C is also sent to this process: the worker ends it after a checkpoint
process.on('message', (message: ToChild) => parent.emit(message.kind, message));

async function run(assignment: Assignment): Promise<void> {
  try {
    const requested = await prepare(assignment);
    const { data } = requested;
    if (assignment.refit !== undefined) return await trainAgain(requested, { ...assignment, refit: assignment.refit });
    await scoreFirst(assignment, data);
    const { knobs, time, epochSeconds, fitted } = await fitTrial(requested, assignment);
    if (fitted !== null) await send({ kind: 'fitted', ...fitted });
    const threads = time.isAlone ? assignment.machineThreads : assignment.threads;
    const hooks = hooksOf({ ...assignment, time, epochSeconds }, snapshotHash(data));
    const command = { folder: assignment.folder, ...commandTime(timeLeft(time)) };
    const result = await trainTrial({ ...requested, knobs, threads, command }, hooks);
    const validated = {
      hash: validationHash(data),
      classes: data.classes,
      labels: kindOf(assignment.task).truth(data.valid.labels),
      trained: trainedInputs(data),
    };
    await send({ kind: 'finished', result, validated });
  } catch (error) {
    await send(error instanceof FamilyKilled ? { kind: 'crashed', cause: causeOf(error) } : failed(error));
  }
}

/** With its last words. */
const causeOf = ({ message, detail }: FamilyKilled): string => [message, detail].filter(Boolean).join('. It said: ');

const failed = (error: unknown): FromChild => ({
  kind: 'failed',
  error: reportError(error),
  ofMachine: isDiskFault(error),
});

/** Trains a chosen network again on all rows. Its scores mean nothing, so they are not reported. */
async function trainAgain(spec: TrainingSpec, assignment: Assignment & { refit: Refit }): Promise<void> {
  const { time, threads, machineThreads, folder } = assignment;
  const { continues, until, seconds, epochSeconds, score } = assignment.refit;
  if (validationHash(spec.data).toString('hex') !== assignment.refit.validationHash) throw otherRows();
  const all = refitSpec(spec, assignment.refit);
  const rows = all.data.train.inputs.length / spec.data.train.inputs.length;
  const whole = timeOf(time, 0);
  const shareSeconds = Math.min(whole.shareSeconds, CONTINUED_SHARE * seconds);
  const hooks = hooksOf(
    { ...assignment, time: { ...whole, shareSeconds, minEpochs: 0, maxEpochs: 1 }, epochSeconds: epochSeconds * rows },
    snapshotHash(spec.data),
  );
  const result = await trainTrial(
    { ...all, threads: continues ? machineThreads : threads, command: { folder, ...commandTime(timeLeft(whole)) } },
    {
      ...{ ...hooks, keepsLast: true, stopNow: () => false },
      ...(continues ? {} : { timeLeft: () => WHOLE_SCHEDULE }),
      onReport: async ({ epoch }) => (!continues && epoch >= until ? 'stop' : 'continue'),
    },
  );
  if (result.score < score) throw worseThanBefore(result.score, score);
  await send({ kind: 'refitted', result, trained: trainedInputs(all.data) });
}

/** Time of a network that continues on all rows, as a share of the time that it was trained before. */
const CONTINUED_SHARE = REFIT_SHARE / (1 - REFIT_SHARE);

const ENDLESS = Number.POSITIVE_INFINITY;
/** As many epochs as the recipe has. */
const WHOLE_SCHEDULE: TimeLeft = { studySeconds: ENDLESS, shareSeconds: ENDLESS, minEpochs: 0, maxEpochs: 1 };

/** Trains shares of a trial of another worker. */
async function join(assignment: JoinAssignment): Promise<void> {
  try {
    const own = await prepare(assignment);
    const first = assignment.shard.count === 1 ? own.data : await readSplit(assignment, 0);
    const spec = { ...own, ...(first === own.data ? {} : { fitTo: first.train }) };
    await joinTraining(spec, leadOf(assignment, { send, next }), basisOf({ data: first }));
    await send({ kind: 'left' });
  } catch (error) {
    await send(failed(error));
  }
}

function timeLeft(time: TrialTime): TrialTime {
  const taken = (systemClock.nowMs() - startedMs) / 1000;
  return { ...time, studySeconds: time.studySeconds - taken, shareSeconds: time.shareSeconds - taken };
}

/** If a deployed model can no longer be scored, its successor is trained without a comparison. */
async function scoreFirst({ task, incumbent, threads, metric, logLevel }: Assignment, data: DataSet): Promise<void> {
  if (incumbent === undefined) return;
  const { trained: inputs } = incumbent;
  const score = await scoreIncumbent(incumbent, { task, data, threads, metric }).catch((error: unknown) => {
    createLogger('training', logLevel).warn({ err: reportError(error) }, 'the deployed model cannot be scored');
    return undefined;
  });
  const trained = inputs === undefined ? null : countTrained(data.valid.inputs, inputs);
  if (score !== undefined) await send({ kind: 'incumbent', score, trained, hash: validationHash(data) });
}

function hooksOf(
  assignment: Omit<Assignment, 'time'> & Pick<FittedRun, 'time' | 'epochSeconds'>,
  basis: Uint8Array,
): TrainingHooks {
  const { resume, checkpointMs, warmStart, time, epochSeconds } = assignment;
  const team = teamOf(assignment, { send, next, waiting: () => waiting });
  const pace = new CheckpointPace(checkpointMs, systemClock.nowMs());
  parent.on('stored', () => pace.stored(systemClock.nowMs()));
  return {
    timeLeft: () => timeLeft(time),
    ...(epochSeconds === undefined ? {} : { epochSeconds }),
    team,
    growing: {
      ...{ team, basis: Buffer.from(basis).toString('hex') },
      isCheckpointWanted: () => checkpointRequested && !pace.isStoring,
    },
    stopNow: () => stopRequested,
    ...(resume === undefined ? {} : { resume }),
    ...(warmStart ? { warmStart: (requested) => requestWarmStart(requested, basis) } : {}),
    async onReport(report, weights) {
      const decision = await requestDecision(report);
      const last = decision.stop || report.epoch >= report.epochs;
      if (decision.publish && weights) await publish(weights(), { report, last, basis });
      return decision.stop ? 'stop' : 'continue';
    },
    async onCheckpoint(take) {
      const isDue = checkpointRequested || pace.isDue(systemClock.nowMs());
      if (!isDue || pace.isStoring) return; // one checkpoint at a time
      checkpointRequested = false;
      pace.sent(systemClock.nowMs());
      await send({ kind: 'checkpoint', params: take() });
    },
  };
}

interface Publication {
  report: TrainingReport;
  /** These are the final weights. */
  last: boolean;
  basis: Uint8Array;
}

async function publish(weights: PublishedWeights, { report, last, basis }: Publication): Promise<void> {
  const bytes = Object.values(weights.tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
  if (last || bytes <= LARGE_BYTES) await send({ kind: 'publish', weights, score: report.score, basis });
}

async function requestWarmStart(
  requested: readonly RequestedTensor[],
  basis: Uint8Array,
): Promise<Record<string, TensorData>> {
  const reply = next('warm-start');
  await send({ kind: 'warm-start', requested, basis });
  return (await reply).tensors;
}

async function requestDecision(report: TrainingReport): Promise<Message<'decision'>> {
  failpoint('training.report');
  const reply = next('decision');
  await send({ kind: 'report', report });
  return reply;
}

function send(message: FromChild): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, undefined, undefined, (error) => (error === null ? resolve() : reject(error)));
  });
}
