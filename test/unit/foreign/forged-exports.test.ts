import { expect, test } from 'vitest';
import { openForeign } from '../../../src/engine/foreign/session.ts';
import { createSession } from '../../../src/engine/session.ts';
import { checkedFound } from '../../../src/foreign/checked-found.ts';
import { elsewhere, forgedExport, here, hidden, readerOf } from '../../support/forged-onnx.ts';
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

test.each(['package.json', '../../package.json', `${process.cwd()}/package.json`])(
  'ONNX Runtime itself reads no other file: %s',
  async (location) => {
    const bytes = readerOf(elsewhere(location, 16));
    await expect(openForeign(bytes, 1)).rejects.toThrow(/external data/i);
    await expect(createSession(bytes, 1)).rejects.toMatchObject({ detail: expect.stringMatching(/external data/i) });
  },
);
