import { inputOf, type RawInput, type Task } from '../domain/task.ts';
import { inputHash } from './input-hash.ts';

/**
 * The rows that a worker holds of a data set that is too large for one. Equal inputs are in one shard. Each has training and
 * validation rows of its own; the leading worker of a trial has the first, and validates on its rows.
 */
export interface Shard {
  /** 0-based. */
  index: number;
  /** Of the data set; 1: the worker holds all rows. */
  count: number;
}

export const WHOLE: Shard = { index: 0, count: 1 };

/** A process holds a multiple of the texts' size (`bench shards`), and has 4 GB of memory for objects. Not measured at this size. */
const MAX_WHOLE_BYTES = 2 ** 29;

/**
 * The number of shards of a data file of `bytes`: as many as workers train each trial, if the study says so, and the texts are
 * too many for one. It follows from what all workers of a trial know.
 */
export function shardsOf(
  task: Task,
  { bytes, workersPerTrial }: { bytes: number; workersPerTrial: number | null },
): number {
  return inputOf(task) === 'text' && bytes > MAX_WHOLE_BYTES ? (workersPerTrial ?? 1) : 1;
}

/** By the last bits of the hash: the first decide whether a row is for validation. */
export const isOfShard = (input: RawInput, { index, count }: Shard): boolean =>
  count === 1 || Number(BigInt.asUintN(32, inputHash(input))) % count === index;
