import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openForeign } from '../../../src/engine/foreign/session.ts';
import { createSession } from '../../../src/engine/session.ts';
import { checkInProcess } from '../../../src/foreign/check-process.ts';
import { checkedFound } from '../../../src/foreign/checked-found.ts';
import { packMeta } from '../../../src/params/tensor-codec.ts';
import { elsewhere, featuresOf, forgedExport, here, hidden, readerOf } from '../../support/forged-onnx.ts';
import { answersOf, checked } from '../../support/onnx-files.ts';

/** Files that say they are exports. Of what they say, only what an export can say is taken. */
const graph = readerOf(here(Uint8Array.of(7, 8, 9, 10)));
/** A file that there is where these tests run. */
const leak = elsewhere('package.json', 16);
const spec = { columns: [{ name: 'i' }], output_kind: 'numbers' };
const elsewhereError = { sqlstate: '0A000', message: 'the ONNX file has its weights in other files' };

test('one that says nothing wrong is imported, so that the others can fail', async () => {
  const found = await checked(forgedExport(graph), 'tabular_regression');
  expect(await answersOf(found, ['{"i": 2}'])).toEqual(Float32Array.of(9));
  expect(checkedFound(found, 'tabular_regression')).toEqual(found);
});

test('the weights of a member may be in no other file either', async () => {
  await expect(checked(forgedExport(readerOf(leak)), 'tabular_regression')).rejects.toMatchObject(elsewhereError);
});

test('nor may those of a file that hides it behind long keys', async () => {
  const file = readerOf(elsewhere('package.json', 16, hidden));
  for (const bytes of [file, forgedExport(file)])
    await expect(checked(bytes, 'tabular_regression', spec)).rejects.toMatchObject({ sqlstate: '22000' });
});

test('a process that a graph has taken over cannot say otherwise', async () => {
  const found = await checked(forgedExport(graph), 'tabular_regression');
  const members = (onnx: Uint8Array): unknown[] =>
    found.members.map((member) => ({ ...member, model: { ...member.model, onnx } }));
  const taken = (onnx: Uint8Array): unknown => checkedFound({ ...found, members: members(onnx) }, 'tabular_regression');
  expect(() => taken(readerOf(leak))).toThrowError(expect.objectContaining(elsewhereError));
  expect(() => taken(readerOf(elsewhere('package.json', 16, hidden)))).toThrowError(
    expect.objectContaining({ sqlstate: '22000' }),
  );
});

const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-forged-'));
const emptyDir = path.join(dir, 'empty');
mkdirSync(emptyDir);
afterAll(() => rmSync(dir, { recursive: true }));

/** MessagePack of the features with other bytes of it in place of one value. */
function metaWith(bytes: Buffer): Buffer {
  const whole = packMeta({ features: featuresOf({ junk: 'JUNK' }) });
  const at = whole.indexOf('JUNK') - 1;
  return Buffer.concat([whole.subarray(0, at), bytes, whole.subarray(at + 5)]);
}

test.each([
  ['that V8 could write but not read', Buffer.from(`${'81a161'.repeat(2_500)}01`, 'hex')],
  [
    'that would take the coordinator minutes',
    Buffer.concat([Buffer.from('dd00200000', 'hex'), Buffer.alloc(2 ** 21, 0x90)]),
  ],
])('in a process: features %s are refused there', async (_, bytes) => {
  const file = path.join(dir, 'deep.onnx');
  writeFileSync(file, forgedExport(graph, { meta: metaWith(bytes) }));
  const { signal } = new AbortController();
  const options = { file, emptyDir, task: 'tabular_regression', spec: '{}', memoryBytes: 2 ** 30, signal } as const;
  await expect(checkInProcess(options)).rejects.toMatchObject({
    sqlstate: '22000',
    detail: 'The part that is wrong: extent.',
  });
});

test.each(['package.json', '../../package.json', `${process.cwd()}/package.json`])(
  'ONNX Runtime itself reads no other file: %s',
  async (location) => {
    const bytes = readerOf(elsewhere(location, 16));
    await expect(openForeign(bytes, 1)).rejects.toThrow(/external data/i);
    await expect(createSession(bytes, 1)).rejects.toMatchObject({ detail: expect.stringMatching(/external data/i) });
  },
);
