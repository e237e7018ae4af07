import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createSession } from '../../src/engine/session.ts';
import { binTable } from '../../src/trees/binned-table.ts';
import { exportForest } from '../../src/trees/export-forest.ts';
import type { FeatureColumn } from '../../src/trees/feature-bins.ts';
import type { Forest } from '../../src/trees/forest.ts';
import type { ForestRows } from '../../src/trees/objective.ts';
import { boostingSettings } from '../../src/trees/settings.ts';
import { forestAnswers } from '../../test/support/forest-answers.ts';
import { trainForest } from '../../test/support/train-forest.ts';
import { type FitRequest, type FitResult, sharedSettings } from './fit.ts';
import { growTogether } from './grow-together.ts';
import type { TableFiles } from './tables.ts';

/** Answers each request of its parent with a result. */
process.on('message', (request: FitRequest) => {
  void fitForest(request).then((result) => process.send?.(result));
});

async function fitForest(request: FitRequest): Promise<FitResult> {
  const { table, fold, rounds, learningRate, rowShare, columnShare, threads } = request;
  const [train, test] = readFold(table, fold);
  const { maxBins, ...shared } = sharedSettings;
  const settings = boostingSettings({
    ...(table.classes > 0
      ? { objective: 'log_loss' as const, classes: table.classes }
      : { objective: 'squared_error' as const }),
    ...{ learningRate, rowShare, columnShare, ...shared, seed: fold },
  });
  const [start, usage] = [performance.now(), process.cpuUsage()];
  const growth = { settings, rounds, maxBins, threads };
  const { seat } = request;
  const forest = await (seat ? growTogether(train, { ...growth, seat }) : trainForest(train, growth));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(usage);
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1024);
  const result = { seconds, cpuSeconds: (user + system) / 1e6, peakMb, ...scores(forest, test) };
  if (!request.check && !request.hashed) return result;
  const model = exportForest(forest);
  const hash = createHash('sha256').update(model).digest('hex');
  if (!request.check) return { ...result, hash };
  const differences = [await difference(forest, model, train), await difference(forest, model, test)];
  return { ...result, hash, difference: Math.max(...differences) };
}

function scores(forest: Forest, { columns, targets }: ForestRows): { score: number; logLoss: number } {
  const answers = forestAnswers(forest, binTable(forest.features, columns));
  const { values } = targets;
  if (forest.objective !== 'log_loss') {
    const squares = values.reduce((sum, value, i) => sum + (value - (answers[0]?.[i] as number)) ** 2, 0);
    return { score: Math.sqrt(squares / values.length), logLoss: 0 };
  }
  let [right, loss] = [0, 0];
  for (const [i, value] of values.entries()) {
    const own = answers.map((shares) => shares[i] as number);
    right += Number(own.indexOf(Math.max(...own)) === value);
    loss -= Math.log(Math.max(1e-15, own[value] as number));
  }
  return { score: right / values.length, logLoss: loss / values.length };
}

async function difference(forest: Forest, model: Uint8Array, { columns }: ForestRows): Promise<number> {
  const answers = forestAnswers(forest, binTable(forest.features, columns));
  const rows = columns[0]?.values.length ?? 0;
  const data = new Float32Array(rows * columns.length);
  for (const [c, { values }] of columns.entries())
    for (let i = 0; i < rows; i++) data[i * columns.length + c] = values[i] as number;
  const session = await createSession(model, 1);
  const outputs = await session.run({ features: { dtype: 'float32', shape: [rows, columns.length], data } });
  await session.release();
  const exported = Object.values(outputs)[0]?.data as Float32Array;
  let largest = 0;
  for (const [c, own] of answers.entries())
    for (let i = 0; i < rows; i++) {
      const value = own[i] as number;
      const apart = Math.abs((exported[i * answers.length + c] as number) - value);
      largest = Math.max(largest, apart / Math.max(1, Math.abs(value)));
    }
  return largest;
}

/** The rows to train on, and those to test with. */
function readFold(table: TableFiles, fold: number): [ForestRows, ForestRows] {
  const x = floats(path.join(table.dir, 'x.f32'));
  const y = floats(path.join(table.dir, 'y.f32'));
  const folds = new Uint8Array(readFileSync(path.join(table.dir, 'fold.u8')));
  const part = (isTest: boolean): ForestRows => {
    const rows = Int32Array.from(y, (_, i) => i).filter((i) => (folds[i] === fold) === isTest);
    const take = (values: Float32Array): Float32Array => Float32Array.from(rows, (i) => values[i] as number);
    const columns = Array.from(
      { length: table.columns },
      (_, c): FeatureColumn => ({
        categorical: table.categorical.includes(c),
        values: take(x.subarray(c * table.rows, (c + 1) * table.rows)),
      }),
    );
    return { columns, targets: { values: take(y) } };
  };
  return [part(false), part(true)];
}

function floats(file: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}
