import { readShard } from '../../src/datasets/data-file.ts';
import type { Shard } from '../../src/datasets/shard.ts';
import { splitRows } from '../../src/datasets/split.ts';
import type { DataSet } from '../../src/domain/task.ts';
import { basisOf } from '../../src/training/joint/basis.ts';
import { prepareTrial } from '../../src/training/trial.ts';

// A process that reads the rows of a trial as one that has joined it does, and says after each stage what that took.

export interface HeldRows {
  stage: string;
  seconds: number;
  /** Resident, at the end of the stage. */
  megabytes: number;
}

const task = 'text_classification';
const [file = '', count = '1'] = process.argv.slice(2);
let startMs = performance.now();

const own = await splitOf({ index: Number(count) - 1, count: Number(count) });
say('read');
const first = count === '1' ? own : await splitOf({ index: 0, count: Number(count) });
basisOf({ data: first });
say('compared');
const spec = { task, family: 'fasttext', knobs: {}, seed: 1, threads: 1, data: own, fitTo: first.train } as const;
const { train } = await prepareTrial(spec);
say(`encoded ${train.count}`);

async function splitOf(shard: Shard): Promise<DataSet> {
  const { rows, ...known } = await readShard(file, task, shard);
  return splitRows(rows, { task, validation: 0.2, ...known });
}

function say(stage: string): void {
  const held: HeldRows = {
    stage,
    seconds: (performance.now() - startMs) / 1000,
    megabytes: process.memoryUsage.rss() / 2 ** 20,
  };
  process.send?.(held);
  startMs = performance.now();
}
