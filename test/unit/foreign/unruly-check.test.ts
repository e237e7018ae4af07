import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkInProcess } from '../../../src/foreign/check-process.ts';

/** What a process that a graph has taken over may do to the coordinator: nothing, but to have its file refused. */
const entry = new URL('../../support/unruly-child.ts', import.meta.url);
const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-unruly-'));
const emptyDir = path.join(dir, 'empty');
mkdirSync(emptyDir);
afterAll(() => rmSync(dir, { recursive: true }));

const check = (says: object): Promise<unknown> =>
  checkInProcess({
    ...{ file: path.join(dir, 'model.onnx'), emptyDir, task: 'tabular_regression', spec: JSON.stringify(says) },
    ...{ memoryBytes: 2 ** 30, signal: new AbortController().signal, entry },
  });

const unruly = {
  sqlstate: '38000',
  message: 'the imported model did something else than to answer, and its process was ended',
};

test.each([
  ['a giant length', 'a message has an invalid length: length 2147483647, allowed 4 to 536870924.'],
  ['two answers', 'it wrote more than an answer.'],
  ['what is no JSON', expect.stringContaining('a message cannot be read')],
  ['an answer of another form', 'it answered with something else than what it had found.'],
])('a process that answers with %s has its file refused', async (kind, detail) => {
  await expect(check({ kind })).rejects.toMatchObject({ ...unruly, detail });
});

test.each([
  ['an error that is none', { ok: false, error: { sqlstate: 'none', message: 'x' } }],
  ['neither an error nor what it found', { ok: 'yes' }],
])('so has one that answers with %s', async (_, answer) => {
  await expect(check({ answer })).rejects.toMatchObject(unruly);
});

test('an error has texts that can be stored, of a length that others have', async () => {
  const error = { sqlstate: '22000', message: `\0${'x'.repeat(50_000)}` };
  await expect(check({ answer: { ok: false, error } })).rejects.toMatchObject({
    sqlstate: '22000',
    message: `${'x'.repeat(3_998)}…`,
  });
});

test('what it has found is taken for nothing that it is not', async () => {
  for (const found of [undefined, null, 'x', [], { rule: 'best', members: 1 }])
    await expect(check({ answer: { ok: true, found } })).rejects.toMatchObject({
      sqlstate: '22000',
      message: 'what the file says of the model cannot be',
    });
});
