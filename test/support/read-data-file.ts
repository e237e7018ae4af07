import { type LabelledRow, readShard } from '../../src/datasets/data-file.ts';
import { WHOLE } from '../../src/datasets/shard.ts';
import type { Task } from '../../src/domain/task.ts';

/** All rows of a data file. */
export const readDataFile = async (file: string, task: Task): Promise<LabelledRow[]> =>
  (await readShard(file, task, WHOLE)).rows;
