import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkReading } from '../../../src/cli/encoders/check-reading.ts';
import { onnxEncoder } from '../../../src/cli/encoders/onnx-encoder.ts';
import { tinyEncoder } from '../encoders/tiny-encoder.ts';
import { wordPieces } from '../encoders/word-pieces.ts';

/** The fixture knows 24 words, and has 16 places. */
const onnx = path.resolve('test/fixtures/encoder/bert-17.onnx');

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'rafiki-check-reading-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function checked(tokenizer: object): Promise<void> {
  const file = path.join(dir, 'tokenizer.json');
  await writeFile(file, JSON.stringify(tokenizer));
  await checkReading((await onnxEncoder({ onnx, tokenizer: file })).model);
}
const truncation = (max_length: number): object => ({ max_length, strategy: 'LongestFirst', stride: 0 });

it('a tokenizer with more words than the encoder knows is refused, with its number', async () => {
  const { model } = wordPieces;
  const larger = { ...wordPieces, model: { ...model, vocab: { ...model.vocab, strange: 116 } } };
  await expect(checked({ ...larger, truncation: truncation(16) })).rejects.toMatchObject({
    ...{ sqlstate: '22000', message: 'the tokenizer is one of another vocabulary than the model' },
    ...{ detail: expect.stringContaining('116'), hint: expect.stringContaining('tokenizer.json') },
  });
});

it('a tokenizer that cuts texts later than the encoder can read is refused, with the length that it can', async () => {
  await expect(checked(wordPieces)).rejects.toMatchObject({
    ...{ sqlstate: '22000', message: 'the encoder cannot read a text of 256 tokens' },
    ...{ detail: expect.stringContaining('It reads 16 tokens'), hint: expect.stringContaining('"max_length": 16') },
  });
  await expect(checked({ ...wordPieces, truncation: truncation(17) })).rejects.toMatchObject({
    hint: expect.stringContaining('"max_length": 16'),
  });
});

it('those that fit are not refused', async () => {
  await checked({ ...wordPieces, truncation: truncation(16) });
  await checkReading(tinyEncoder());
});
