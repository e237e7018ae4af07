import { constants, setPriority } from 'node:os';
import { readDataFile } from '../datasets/data-file.ts';
import { splitRows, validationHash } from '../datasets/split.ts';
import type { DataSet } from '../domain/task.ts';
import type { TrainingHooks, TrainingReport } from '../domain/training.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { systemClock } from '../runtime/clock.ts';
import { failpoint } from '../runtime/failpoint.ts';
import { scoreIncumbent } from './incumbent.ts';
import type { Assignment, FromChild, ToChild } from './messages.ts';
import { trainTrial } from './train.ts';

// The process that trains one trial. It knows no database and no other trial: when it dies, only this attempt is lost.
// It stays until the parent, having heard everything, ends it.

type Answer = 'continue' | 'stop';

/** What the parent said that training has yet to look at. */
let checkpointWanted = false;
let storing = false;
let onAnswer: ((answer: Answer) => void) | undefined;

process.on('disconnect', () => process.exit(1)); // nobody is left to hear the result
process.on('message', (message: ToChild) => {
  if (message.kind === 'assignment') void run(message);
  else if (message.kind === 'answer') onAnswer?.(message.answer);
  else if (message.kind === 'checkpoint') checkpointWanted = true;
  else storing = false;
});

async function run(assignment: Assignment): Promise<void> {
  const { task, family, knobs, seed, threads, dataFile, validation } = assignment;
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL); // predictions on the same machine come first
    const data = splitRows(await readDataFile(dataFile), validation);
    await scoreFirst(assignment, data);
    const result = await trainTrial({ task, family, knobs, seed, threads, data }, hooksOf(assignment));
    const validated = {
      hash: validationHash(data),
      classes: data.classes,
      labels: Uint16Array.from(data.valid.labels),
    };
    await tell({ kind: 'finished', result, validated });
  } catch (error) {
    await tell({ kind: 'failed', error: reportError(error) });
  }
}

/** A deployed model that cannot be scored any more must not keep its successor from being trained. */
async function scoreFirst({ incumbent, threads }: Assignment, data: DataSet): Promise<void> {
  if (incumbent === undefined) return;
  const score = await scoreIncumbent(incumbent, data, threads).catch(() => undefined);
  if (score !== undefined) await tell({ kind: 'incumbent', score });
}

function hooksOf({ resume, checkpointEveryMs }: Assignment): TrainingHooks {
  let lastMs = systemClock.nowMs();
  return {
    ...(resume === undefined ? {} : { resume }),
    onReport,
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

async function onReport(report: TrainingReport): Promise<Answer> {
  failpoint('training.report');
  const answered = new Promise<Answer>((resolve) => {
    onAnswer = resolve;
  });
  await tell({ kind: 'report', report });
  return answered;
}

const tell = (message: FromChild): Promise<void> =>
  new Promise((resolve, reject) => {
    process.send?.(message, undefined, undefined, (error) => (error === null ? resolve() : reject(error)));
  });
