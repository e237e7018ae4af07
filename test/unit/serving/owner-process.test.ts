import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ModelFile } from '../../../src/domain/training.ts';
import { packModel } from '../../../src/params/model-codec.ts';
import { ModelFiles } from '../../../src/params/model-files.ts';
import type { ParamStore } from '../../../src/params/param-store.ts';
import { silentLogger as logger } from '../../../src/runtime/logger.ts';
import type { BatchResult } from '../../../src/serving/devices/device.ts';
import { ForeignDevice } from '../../../src/serving/foreign/foreign-device.ts';
import { OwnerProcess } from '../../../src/serving/foreign/owner-process.ts';
import { checked, expectedAnswers, onnxFile } from '../../support/onnx-files.ts';

/** The process of an owner's imported models: one that misbehaves ends it, and the others go on. */
const columns = ['a', 'b'].map((name) => ({ name, type: 'number' }));
const four = ['length', 'width', 'height', 'weight'].map((name) => ({ name, type: 'number' }));
const armed = JSON.stringify({ a: 1, b: 0 });
const harmless = JSON.stringify({ a: 0, b: 1 });

let dir: string;
let owner: OwnerProcess;
let devices: Record<'good' | 'endless' | 'huge', ForeignDevice>;

async function load(name: string, spec: Record<string, unknown>): Promise<ForeignDevice> {
  const found = await checked(onnxFile(name), 'tabular_classification', spec);
  const params = packModel(found.members[0]!.model);
  const file = await new ModelFiles({ load: async () => params } as Partial<ParamStore> as ParamStore, dir).fetch(1);
  return loadFile(file, found.classes.length);
}

const loadFile = (file: ModelFile, classes: number): Promise<ForeignDevice> =>
  ForeignDevice.load(owner, { models: [file], inputKind: 'columns', threads: 1 }, { kind: 'label', classes });

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-owner-'));
  const options = { owner: 1, memoryBytes: 2 ** 30, parentDir: path.join(dir, 'owners'), runMs: 1, logger };
  owner = new OwnerProcess({ ...options, admit: (_, start) => start() });
  devices = {
    good: await load('sklearn_logistic', { columns: four }),
    endless: await load('sleeper_endless', { columns }),
    huge: await load('sleeper_huge', { columns }),
  };
});
afterAll(async () => {
  await owner.end();
  rmSync(dir, { recursive: true });
});

const { rows, answers } = expectedAnswers.sklearn_logistic;
const goodRows = rows.map((row) => JSON.stringify(row));

function expectGood({ outputs: [output] }: BatchResult): void {
  const expected = (answers as number[][]).flat();
  for (const [i, share] of (output ?? []).entries())
    expect(Math.abs(share - (expected[i] as number))).toBeLessThan(1e-5);
  expect(output).toHaveLength(expected.length);
}

test('it answers for several models, and knows an input of each', async () => {
  expectGood(await devices.good.run(goodRows, 1));
  expect((await devices.endless.run([harmless], 1)).outputs[0]).toHaveLength(2);
  expect(JSON.parse(devices.good.sample ?? '')).toEqual({ length: 0, width: 0, height: 0, weight: 0 });
  const explained = await devices.good.explain([`-1 ${goodRows[0]}`], {
    ...{ subset: 1, rule: 'best', members: [{ score: 0, weight: 1, temperature: 1 }] },
  });
  expect(explained.outputs[0]).toHaveLength(5 + 4);
});

test('a batch that does not end is ended; one that waited for it gets its answer', async () => {
  const late = devices.endless.run([armed], 1);
  const waiting = devices.good.run(goodRows, 1);
  await expect(late).rejects.toMatchObject({
    sqlstate: '38000',
    message: 'the imported model took too long, and its process was ended',
  });
  expectGood(await waiting);
});

test('a batch that takes 100 GB is refused them, and others go on', async () => {
  const huge = devices.huge.run([armed], 1);
  const waiting = devices.good.run(goodRows, 1);
  await expect(huge).rejects.toMatchObject({ sqlstate: '38000' });
  expectGood(await waiting);
  expect((await devices.huge.run([harmless], 1)).outputs[0]).toHaveLength(2);
});

test('a bad input is its own fault: the process stays', async () => {
  await expect(devices.good.run([JSON.stringify({ length: 'long' })], 1)).rejects.toMatchObject({ sqlstate: '22000' });
  expect(owner.isRunning).toBe(true);
});

test('a model that ends it again and again is refused for a while', async () => {
  for (let death = 0; death < 3; death++)
    await expect(devices.endless.run([armed], 1)).rejects.toMatchObject({ sqlstate: '38000' });
  const startedMs = performance.now();
  await expect(devices.endless.run([harmless], 1)).rejects.toMatchObject({ sqlstate: '38000' });
  expect(performance.now() - startedMs).toBeLessThan(500);
  expectGood(await devices.good.run(goodRows, 1));
});

test('a damaged copy of a model is the fault of this machine, and deleted', async () => {
  const file = { dir: path.join(dir, 'models'), name: 'a'.repeat(64), bytes: 7 };
  writeFileSync(path.join(file.dir, file.name), 'damaged');
  await expect(loadFile(file, 2)).rejects.toMatchObject({ sqlstate: '58000' });
  expect(existsSync(path.join(file.dir, file.name))).toBe(false);
});

test('it ends with its last model', async () => {
  await devices.good.release();
  await devices.endless.release();
  expect(owner.isRunning).toBe(true);
  await devices.huge.release();
  expect(owner.isRunning).toBe(false);
});

test('a failure to end it when it is idle is only logged', async () => {
  const warnings: object[] = [];
  const idle = new OwnerProcess({
    ...{ owner: 1, memoryBytes: 2 ** 30, parentDir: dir },
    admit: (_, start) => start(),
    logger: { ...logger, warn: (about: object) => warnings.push(about) } as unknown as typeof logger,
  });
  idle.end = () => Promise.reject(new Error('the folder is in use'));
  vi.useFakeTimers();
  try {
    const order = { kind: 'run', id: 1, inputs: '', subset: 1 } as const;
    await expect(
      idle.run(order, { rows: 1, expected: { outputs: 1, maxNumbers: 1, fits: () => true } }),
    ).rejects.toThrow('not loaded');
    await vi.runAllTimersAsync();
    expect(warnings).toEqual([{ owner: 1, err: 'Error: the folder is in use' }]);
  } finally {
    vi.useRealTimers();
  }
});
