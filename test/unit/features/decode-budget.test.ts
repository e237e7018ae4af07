import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DecodeBudget } from '../../../src/features/decode-budget.ts';

let dir: string;
let module: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-budget-'));
  module = path.join(dir, 'decode-budget.mjs'); // Node 20 starts no thread from TypeScript
  const source = readFileSync(path.join(import.meta.dirname, '../../../src/features/decode-budget.ts'), 'utf8');
  const { target, module: kind } = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  writeFileSync(module, ts.transpileModule(source, { compilerOptions: { target, module: kind } }).outputText);
});
afterAll(() => rmSync(dir, { recursive: true }));

const KIB = 1024;
const cells = (): Int32Array => new Int32Array(new SharedArrayBuffer(8));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Work that lasts until it is released, and records when it began. */
function job(budget: DecodeBudget, kib: number): { began: boolean; end(): void; ended: Promise<void> } {
  let end = (): void => undefined;
  const finish = new Promise<void>((resolve) => {
    end = resolve;
  });
  const held = { began: false, end: () => end(), ended: Promise.resolve() };
  held.ended = budget.run(kib * KIB, () => {
    held.began = true;
    return finish;
  });
  return held;
}

test('lets in what fits, in order, and what is larger than all of it alone', async () => {
  const memory = cells();
  const budget = new DecodeBudget(100 * KIB, memory);
  const [first, second, huge, small] = [job(budget, 60), job(budget, 40), job(budget, 500), job(budget, 1)] as const;
  for (let i = 0; i < 20; i++) await turn();
  expect([first, second, huge, small].map(({ began }) => began)).toEqual([true, true, false, false]);
  first.end();
  await first.ended;
  second.end();
  await expect.poll(() => huge.began).toBe(true);
  expect(small.began).toBe(false);
  huge.end();
  await expect.poll(() => small.began).toBe(true);
  small.end();
  await small.ended;
  expect([...memory]).toEqual([0, 0]);
});

test('has room again after work that failed', async () => {
  const memory = cells();
  const budget = new DecodeBudget(100 * KIB, memory);
  await expect(budget.run(100 * KIB, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await budget.run(100 * KIB, () => Promise.resolve(1))).toBe(1);
  expect([...memory]).toEqual([0, 0]);
});

test('is one for all threads of a process', async () => {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(async ({ DecodeBudget }) => {
      const budget = new DecodeBudget(100 * 1024);
      const [now, most] = [0, 1];
      const seen = new Int32Array(workerData.seen);
      const work = async () => {
        const together = Atomics.add(seen, now, 1) + 1;
        if (together > Atomics.load(seen, most)) Atomics.store(seen, most, together);
        await new Promise((resolve) => setTimeout(resolve, 1));
        Atomics.sub(seen, now, 1);
      };
      await Promise.all(Array.from({ length: 20 }, () => budget.run(45 * 1024, work)));
      parentPort.postMessage('done');
    });`;
  new DecodeBudget(KIB); // serving's main thread has one before its threads start
  const seen = new SharedArrayBuffer(8);
  const threads = Array.from({ length: 4 }, () => new Worker(code, { eval: true, workerData: { module, seen } }));
  await Promise.all(threads.map((thread) => new Promise((resolve) => thread.once('message', resolve))));
  await Promise.all(threads.map((thread) => thread.terminate()));
  expect([...new Int32Array(seen)]).toEqual([0, 2]);
});
