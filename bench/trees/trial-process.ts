import { pipeline } from 'node:stream/promises';
import { DataFileWriter } from '../../src/datasets/data-file-writer.ts';
import { snapshotHash, splitRows, trainedInputs } from '../../src/datasets/split.ts';
import { tableBlocks } from '../../src/datasets/table-blocks.ts';
import { classification } from '../../src/domain/kinds/classification.ts';
import type { InputColumn } from '../../src/domain/table.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { trainTrial } from '../../src/training/train.ts';
import { readDataFile } from '../../test/support/read-data-file.ts';

/** Writes the data file of a study, or trains one trial from it, as a training process does. */
export type TrialRequest = { file: string; rows: number } | TrainRequest;

export interface TrialFigures {
  seconds: number;
  cpuSeconds: number;
  /** Of the process. */
  peakMb: number;
  /** Of the trial. */
  score: number;
}

process.on('message', (request: TrialRequest) => {
  void answer(request).then((figures) => process.send?.(figures));
});

async function answer(request: TrialRequest): Promise<TrialFigures> {
  const [start, usage] = [performance.now(), process.cpuUsage()];
  const score = 'rows' in request ? await writeRows(request) : await train(request);
  const { user, system } = process.cpuUsage(usage);
  return {
    score,
    seconds: (performance.now() - start) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakMb: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

const [numbers, texts, times] = [25, 3, 2] as const;
const columns: readonly InputColumn[] = Array.from({ length: numbers + texts + times }, (_, c) => ({
  name: `column_${c}`,
  kind: c < numbers ? 'number' : c < numbers + texts ? 'text' : 'time',
}));

async function writeRows({ file, rows }: { file: string; rows: number }): Promise<number> {
  const rule = { kind: classification, columns, onBadRow: 'error', skipped: { rows: 0, example: null } } as const;
  await pipeline(tableBlocks(linesOf(rows), rule), new DataFileWriter(file));
  return 0;
}

/** Two classes by a sum of waves in five numbers and by a category, with noise; as COPY sends them. */
async function* linesOf(rows: number): AsyncGenerator<Buffer> {
  const rng = createRng(5);
  let chunk = '';
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    const values = columns.map(({ kind }, c): number | string => {
      const value = rng.uniform();
      if (c < 5) sum += Math.sin(6 * value + c);
      if (c === numbers) sum += value < 0.5 ? 1 : -1;
      if (kind === 'number') return Number(value.toFixed(6));
      return kind === 'text' ? `v${Math.floor(value * 50)}` : `2026-0${1 + rng.below(9)}-1${rng.below(10)}`;
    });
    const label = rng.uniform() < 1 / (1 + Math.exp(-2 * sum)) ? 'yes' : 'no';
    const json = JSON.stringify(Object.fromEntries(columns.map(({ name }, c) => [name, values[c]])));
    chunk += `${JSON.stringify([label, json])}\n`;
    if (chunk.length < 65_536) continue;
    yield Buffer.from(chunk);
    chunk = '';
  }
  yield Buffer.from(chunk);
}

interface TrainRequest {
  file: string;
  threads: number;
  epochs: number;
}

async function train({ file, threads, epochs }: TrainRequest): Promise<number> {
  const task = 'tabular_classification';
  const data = splitRows(await readDataFile(file, task), { task, validation: 0.2 });
  snapshotHash(data);
  const spec = { task, family: 'gradient_boosting', knobs: { epochs }, seed: 1, threads, data } as const;
  const hooks = { onReport: async () => 'continue' as const, onCheckpoint: async () => undefined };
  const { score } = await trainTrial(spec, hooks);
  trainedInputs(data);
  return score;
}
