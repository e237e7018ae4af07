import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkInProcess } from '../../../src/foreign/check-process.ts';
import type { CheckedImport } from '../../../src/foreign/messages.ts';
import { checked, expectedAnswers, onnxFile, onnxPath } from '../../support/onnx-files.ts';

/** Each fault of a file has its own message. */
const columns = [
  { name: 'a', type: 'number' },
  { name: 'b', type: 'number' },
];
const file = (name: string, spec: Record<string, unknown> = { columns }): Promise<unknown> =>
  checked(onnxFile(name), 'tabular_classification', spec);

test.each([
  ['no ONNX', Buffer.from('version https://git-lfs.github.com/spec/v1'), '22000', 'the file is no ONNX model'],
  ['empty', new Uint8Array(0), '22000', 'the file is no ONNX model'],
  ['cut off', onnxFile('sklearn_boosting').subarray(0, 3000), '22000', 'the ONNX file is cut off, or damaged'],
])('%s', async (_, bytes, sqlstate, message) => {
  await expect(checked(bytes, 'tabular_classification')).rejects.toMatchObject({ sqlstate, message });
});

test.each([
  ['external_data', '0A000', 'the ONNX file has its weights in other files'],
  ['custom_domain', '0A000', 'the ONNX file has operators of another library'],
  ['unknown_op', '0A000', 'ONNX Runtime does not know an operator of the file'],
  ['never_fits', '22000', 'the imported model cannot compute this input'],
  ['two_outputs', '22000', 'which output of the ONNX file answers cannot be told'],
])('%s', async (name, sqlstate, message) => {
  await expect(file(name)).rejects.toMatchObject({ sqlstate, message });
});

test('columns that nobody names, and columns that do not fill the input', async () => {
  const three = [...columns, { name: 'c' }];
  await expect(file('sklearn_logistic', {})).rejects.toMatchObject({
    message: 'the ONNX file does not name the columns that it reads',
  });
  await expect(file('sklearn_logistic', { columns: three })).rejects.toMatchObject({
    message: 'input "X" of the ONNX file reads 4 numbers, and the columns give 3',
  });
});

test('classes that are not as many as the outputs', async () => {
  const spec = { classes: ['x', 'y'] };
  await expect(checked(onnxFile('torch_image'), 'image_classification', spec)).rejects.toMatchObject({
    message: 'the model answers with 3 numbers, and 2 classes are named',
  });
});

test('a specification with a field that there is not, or a value of another kind', async () => {
  await expect(file('two_outputs', { clases: ['x'] })).rejects.toMatchObject({
    sqlstate: '22023',
    message: 'spec has the unknown field "clases"',
  });
  await expect(file('two_outputs', { image: { layout: 'chw' } })).rejects.toMatchObject({
    message: 'the field "image.layout" of spec is not what it must be',
  });
});

test('a tokenizer of another vocabulary', async () => {
  const { tokenizer } = expectedAnswers.torch_text as { tokenizer: { model: { vocab: Record<string, number> } } };
  const other = { ...tokenizer, model: { ...tokenizer.model, vocab: { ...tokenizer.model.vocab, strange: 5000 } } };
  const spec = { tokenizer: other, classes: ['no', 'yes'] };
  await expect(checked(onnxFile('torch_text'), 'sentiment', spec)).rejects.toMatchObject({
    message: 'the tokenizer is one of another vocabulary than the model',
  });
  await expect(checked(onnxFile('torch_text'), 'sentiment')).rejects.toMatchObject({
    message: 'the ONNX file reads numbers of tokens, and no tokenizer is given',
  });
  await expect(
    checked(onnxFile('torch_text'), 'sentiment', { ...spec, tokenizer: { model: 1 } }),
  ).rejects.toMatchObject({
    message: '"tokenizer" in spec is no tokenizer of Hugging Face',
  });
});

test('a detector of others, and a graph for another kind of input', async () => {
  await expect(checked(onnxFile('torch_image'), 'object_detection')).rejects.toMatchObject({ sqlstate: '0A000' });
  await expect(checked(onnxFile('sklearn_logistic'), 'image_classification')).rejects.toMatchObject({
    message: 'the input of the ONNX file is no image',
  });
});

const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-bad-'));
const emptyDir = path.join(dir, 'empty');
mkdirSync(emptyDir);
afterAll(() => rmSync(dir, { recursive: true }));

const { signal } = new AbortController();
const inProcess = (
  name: string,
  { limitMs = 60_000, spec = { columns } }: { limitMs?: number; spec?: Record<string, unknown> } = {},
): Promise<CheckedImport> =>
  checkInProcess({
    ...{
      file: name,
      emptyDir,
      task: 'tabular_classification',
      spec: JSON.stringify(spec),
      memoryBytes: 2 ** 30,
      signal,
      limitMs,
    },
  });

test('in a process: an endless loop is ended', async () => {
  await expect(inProcess(onnxPath('endless'), { limitMs: 15_000 })).rejects.toMatchObject({
    sqlstate: '38000',
    message: 'the imported model took too long, and its process was ended',
  });
});

test('in a process: a graph that allocates 100 GB is told what the limit is', async () => {
  await expect(inProcess(onnxPath('huge'))).rejects.toMatchObject({
    sqlstate: '38000',
    message: 'the imported model takes more memory than it may have',
  });
});

test('in a process: other faults arrive as they are, and a good file as its parts', async () => {
  const garbage = path.join(dir, 'garbage.onnx');
  writeFileSync(garbage, 'nothing');
  await expect(inProcess(garbage)).rejects.toMatchObject({ sqlstate: '22000', message: 'the file is no ONNX model' });
  await expect(inProcess(onnxPath('sklearn_boosting'))).rejects.toMatchObject({ sqlstate: '22000' });
  const good = await inProcess(onnxPath('sklearn_boosting'), { spec: {} });
  expect([good.classes, good.members.length]).toEqual([['10', '20', '30'], 1]);
  await expect(inProcess(onnxPath('sklearn_boosting'), { spec: { clases: [] } })).rejects.toMatchObject({
    sqlstate: '22023',
  });
});
