import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { unweighted } from '../../../src/domain/ensembles/rule.ts';
import type { ParamSet } from '../../../src/domain/tensor.ts';
import { readModel } from '../../../src/engine/model-file.ts';
import { packModel } from '../../../src/params/model-codec.ts';
import { ModelFiles } from '../../../src/params/model-files.ts';
import type { ParamStore } from '../../../src/params/param-store.ts';
import { CpuDevice } from '../../../src/serving/devices/cpu-device.ts';
import type { ExplainedEnsemble } from '../../../src/serving/devices/device.ts';
import { type EnsembleFiles, Replica } from '../../../src/serving/devices/replica.ts';
import { largestBatch } from '../../../src/serving/policies/latency-model.ts';
import { trainTrial } from '../../../src/training/train.ts';

/** The only member of an ensemble. */
const alone: ExplainedEnsemble = { subset: 1, rule: 'best', members: [unweighted(1)] };

const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-models-'));
let files: ModelFiles;
let stored: ParamSet;
let fetched = 0;
beforeAll(async () => {
  const inputs = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? `good film ${i}` : `bad film ${i}`));
  const rows = { inputs, labels: Int32Array.from(inputs, (_, i) => 1 - (i % 2)) };
  const data = { classes: ['neg', 'pos'], train: rows, valid: rows };
  const spec = { task: 'sentiment', family: 'fasttext', knobs: {}, seed: 1, threads: 1, data } as const;
  const hooks = { onReport: async () => 'continue' as const, onCheckpoint: async () => undefined };
  const { model } = await trainTrial(spec, hooks);
  stored = packModel(model);
  const load = async () => {
    fetched++;
    return stored;
  };
  files = new ModelFiles({ load } as Partial<ParamStore> as ParamStore, dir);
});
afterAll(() => rmSync(dir, { recursive: true }));

it('a model that the folder would not keep is refused with the setting to raise', async () => {
  const load = async () => stored;
  const refused = new ModelFiles({ load } as Partial<ParamStore> as ParamStore, dir, 1024).fetch(1);
  await expect(refused).rejects.toMatchObject({ hint: expect.stringContaining('RAFIKI_CACHE_LIMIT') });
});

const ensembleFiles = async (): Promise<EnsembleFiles> => ({
  models: [await files.fetch(1)],
  inputKind: 'text',
  threads: 1,
});

/** Two threads that are one, and count what they are asked. */
async function startDevice(rowsWithin: (ms: number) => number) {
  const ensemble = await ensembleFiles();
  const thread = await Replica.load(ensemble);
  let rows = 0;
  const run = async (_: number, inputs: readonly string[], subset: number) => {
    rows += inputs.length;
    return { outputs: await thread.run(inputs, subset), ms: 1 };
  };
  const pool = {
    size: 2,
    load: async () => 1,
    spread: async () => undefined,
    isFree: () => true,
    unload: () => thread.release(),
    run,
    explain: async (_: number, orders: readonly string[], ensemble: ExplainedEnsemble) => ({
      outputs: await thread.explain(orders, ensemble),
      ms: 1,
    }),
  };
  return { device: await CpuDevice.load({ files: ensemble, pool, rowsWithin }), rowsOnThreads: () => rows };
}

it('a model that has grown answers tiny batches on the calling thread, and the same there', async () => {
  const { device, rowsOnThreads } = await startDevice(() => 4);
  const first = await device.run(['good film', 'bad film'], 1);
  expect([rowsOnThreads(), device.inlineRows]).toEqual([2, 0]);
  await device.grow();
  expect(device.inlineRows).toBe(4);
  const before = rowsOnThreads();
  expect((await device.run(['good film', 'bad film'], 1)).outputs).toEqual(first.outputs);
  expect(rowsOnThreads()).toBe(before);
  let served = 0;
  setImmediate(() => served++);
  await device.run(['good film'], 1);
  expect(served).toBe(1); // the event loop goes on between two batches
  expect(device.runNow(['good film', 'bad film'], 1)?.outputs).toEqual(first.outputs);
  expect(device.runNow(['a', 'b', 'c', 'd', 'e'], 1)).toBeUndefined();
  await device.run(['a', 'b', 'c', 'd', 'e'], 1);
  expect(rowsOnThreads()).toBe(before + 5);
  expect(device.runNow(['good film '.repeat(100_000)], 1)).toBeUndefined();
  await device.run(['good film '.repeat(100_000)], 1);
  expect(rowsOnThreads()).toBe(before + 6);
  await device.release();
});

it('without threads, as on WebGPU, answers all on the calling thread', async () => {
  const pool = {
    ...{
      size: 0,
      load: async () => 1,
      spread: async () => undefined,
      isFree: () => false,
      unload: async () => undefined,
    },
    run: () => Promise.reject(new Error('there is no thread')),
    explain: () => Promise.reject(new Error('there is no thread')),
  };
  const device = await CpuDevice.load({ files: await ensembleFiles(), pool, rowsWithin: () => 4 });
  const inputs = Array.from({ length: largestBatch + 1 }, (_, i) => 'good film '.repeat(i));
  expect((await device.run(inputs, 1)).outputs).toHaveLength(1); // of one member
  expect((await device.explain(['-1 a good film'], alone)).outputs).toHaveLength(1);
  await device.release();
});

it('explanations of a batch are one row of numbers each: class, score, base, and what the words add', async () => {
  const { device } = await startDevice(() => 4);
  const { outputs } = await device.explain(['-1 a good film', '0 bad'], alone);
  expect(outputs.map((row) => row.length)).toEqual([5 + 3, 5 + 1]);
  expect(outputs.map(([about]) => about)).toEqual([1, 0]);
  for (const row of outputs) {
    const [, score = 0, base = 0, , , ...added] = row;
    expect(base + added.reduce((sum, part) => sum + part, 0)).toBeCloseTo(score, 5);
  }
  await device.release();
});

it('a model with slow rows stays on the threads', async () => {
  const { device } = await startDevice(() => 0);
  await device.grow();
  expect(device.inlineRows).toBe(0);
  await device.release();
});

it('a damaged file is refused once, and then fetched again', async () => {
  const file = await files.fetch(1);
  const before = fetched;
  await files.fetch(1);
  expect(fetched).toBe(before);
  writeFileSync(path.join(file.dir, file.name), 'damaged');
  await expect(readModel(file)).rejects.toMatchObject({
    sqlstate: '58000',
    message: expect.stringContaining('damaged'),
  });
  expect(readdirSync(file.dir)).toEqual([]);
  expect((await readModel(await files.fetch(1))).features.classes).toEqual(['neg', 'pos']);
  expect(fetched).toBe(before + 1);
});

it('a model that was loaded while the machine was busy answers tiny batches on the calling thread later', async () => {
  let rows = 0;
  const { device } = await startDevice(() => rows);
  await device.grow();
  rows = 1;
  for (let batch = 0; batch < 1023; batch++) await device.run(['good film'], 1);
  expect(device.inlineRows).toBe(0);
  await device.run(['good film'], 1);
  await vi.waitFor(() => expect(device.inlineRows).toBe(1));
  await device.release();
});
