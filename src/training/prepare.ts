import { readShard } from '../datasets/data-file.ts';
import { splitRows } from '../datasets/split.ts';
import type { DataSet } from '../domain/task.ts';
import type { TrainingSpec } from '../domain/training.ts';
import { computeWith } from '../engine/computing.ts';
import { loadFamilies } from '../families/sources.ts';
import { addFamilies } from '../models/registry.ts';
import { createLogger } from '../runtime/logger.ts';
import { yieldPriority } from '../runtime/priority.ts';
import type { Assignment, JoinAssignment, TrialInput } from './messages.ts';

/** A niceness at which predictions on the same machine come first. */
const YIELD = 10;

/** Sets up the process, and reads the rows. */
export async function prepare(assignment: Assignment | JoinAssignment): Promise<TrainingSpec> {
  const { shard, computing, logLevel, task, family, knobs, seed, threads, metric, balanced, pretrained } = assignment;
  computeWith({ ...computing, logger: createLogger('engine', logLevel) });
  yieldPriority(YIELD);
  addFamilies(await loadFamilies(assignment.sources));
  const data = await readSplit(assignment, shard.index);
  const noise = assignment.kind === 'join' ? { noiseSeed: assignment.noiseSeed } : {};
  return {
    ...{ task, family, knobs, seed, threads, data, metric, balanced, ...noise },
    ...(pretrained === undefined ? {} : { pretrained }),
  };
}

/** The rows of a shard. */
export async function readSplit({ dataFile, task, validation, shard }: TrialInput, index: number): Promise<DataSet> {
  const { rows, ...known } = await readShard(dataFile, task, { ...shard, index });
  return splitRows(rows, { task, validation, ...known });
}
