import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { silentLogger as logger } from '../../../src/runtime/logger.ts';
import type { EnsembleFiles } from '../../../src/serving/devices/replica.ts';
import { ForeignDevice } from '../../../src/serving/foreign/foreign-device.ts';
import type { AnswerForm } from '../../../src/serving/foreign/owner-answers.ts';
import { OwnerProcesses } from '../../../src/serving/foreign/owner-processes.ts';

/** What a process that a graph has taken over may do to a server: nothing, but to have its batch refused. */
const entry = new URL('../../support/unruly-child.ts', import.meta.url);
const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-unruly-'));
afterAll(() => rmSync(dir, { recursive: true }));

const started: OwnerProcesses[] = [];
function start(): OwnerProcesses {
  const processes = new OwnerProcesses({ memoryBytes: 2 ** 30, parentDir: path.join(dir, 'owners'), entry, logger });
  started.push(processes);
  return processes;
}
afterEach(() => Promise.all(started.splice(0).map((processes) => processes.stop())));

const files: EnsembleFiles = { models: [], inputKind: 'columns', threads: 1 };
/** A model whose load does not end. */
const endless: EnsembleFiles = { ...files, inputKind: 'image' };
const label = { kind: 'label', classes: 3 } as const satisfies AnswerForm;
const unruly = {
  sqlstate: '38000',
  message: 'the imported model did something else than to answer, and its process was ended',
};

test('a batch is answered with an output of its size for each member', async () => {
  const owner = start().processOf(1);
  const device = await ForeignDevice.load(owner, files, label);
  const rows = (says: object): [string] => [JSON.stringify(says)];
  expect((await device.run(rows({ numbers: [3] }), 1)).outputs).toEqual([new Float32Array(3)]);
  expect((await device.run(rows({ numbers: [3, 3] }), 0b101)).outputs).toHaveLength(2);
  const boxes = await ForeignDevice.load(owner, files, { kind: 'boxes', classes: 3 });
  for (const numbers of [0, 6, 600])
    expect((await boxes.run(rows({ numbers: [numbers] }), 1)).outputs[0]).toHaveLength(numbers);
  for (const numbers of [7, 606])
    await expect(boxes.run(rows({ numbers: [numbers] }), 1)).rejects.toMatchObject(unruly);
});

test.each<[string, object]>([
  ['fewer numbers', { numbers: [2] }],
  ['more numbers', { numbers: [4] }],
  ['no output', { numbers: [] }],
  ['too many outputs', { numbers: [3, 3] }],
  ['more bytes than any answer of it', { numbers: [2 ** 20] }],
  ['outputs of another type', { answer: { ok: true, outputs: [[1, 2, 3]] } }],
  ['no outputs at all', { answer: { ok: true } }],
  ['an error that is none', { answer: { ok: false, error: 1 } }],
  ['a sample that nobody asked for', { answer: { ok: true, outputs: [], sample: 'x' } }],
  ['a giant length', { kind: 'a giant length' }],
  ['what is no JSON', { kind: 'what is no JSON' }],
])('%s end the process, and the next batch starts another', async (_, says) => {
  const device = await ForeignDevice.load(start().processOf(1), files, label);
  await expect(device.run([JSON.stringify(says)], 1)).rejects.toMatchObject(unruly);
  expect((await device.run([JSON.stringify({ numbers: [3] })], 1)).outputs).toHaveLength(1);
});

test('a stop does not wait for a model that is being loaded, nor for those that wait for it', async () => {
  const processes = start();
  const owner = processes.processOf(1);
  await owner.load(files);
  const loads = [owner.load(endless), owner.load(files), processes.processOf(2).load(endless)];
  const ended = Promise.allSettled(loads);
  await expect.poll(() => processes.processOf(2).isRunning).toBe(true);
  await processes.stop();
  const stopped = { status: 'rejected', reason: { sqlstate: '57P01' } };
  expect(await ended).toMatchObject([stopped, stopped, stopped]);
  expect([1, 2].map((each) => processes.processOf(each).isRunning)).toEqual([false, false]);
  for (const each of [1, 3]) await expect(processes.processOf(each).load(files)).rejects.toMatchObject(stopped.reason);
});
