import type { RawInput } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { FittedFeatures } from '../domain/training.ts';
import { type EncodedRows, type RowEncoder, rowEncoder, textsOf } from './encoder.ts';
import { HashIndex } from './hash-index.ts';
import { int32Bytes, readInt32s, readInteger } from './state.ts';
import { TextCounts } from './text-counts.ts';
import { padRows, rowLength, TokenRowsBuilder } from './token-rows.ts';
import { extend, finish, readPart, tokenise } from './tokenise.ts';

export interface SubwordOptions {
  /** Maximum words per text; the rest is ignored. */
  maxTokens: number;
  /** Minimum number of training texts with a word or part for it to get a row. */
  minTexts: number;
  /** Maximum number of rows, the most frequent ones. */
  maxRows: number;
  /** Words of padding after the longest text of a batch. */
  margin: number;
}

/** Lengths of the prefixes and suffixes that are parts of a word. */
const affixes = [2, 3, 4] as const;
/** Ids per word: the word, its shape, its prefixes, its suffixes. */
export const subwordSlots = 2 + 2 * affixes.length;
/** The shared row of all unknown words. */
export const unknownWord = 1;

/**
 * Determines which words and parts of words get rows. A word without training examples is then represented by its
 * suffix and shape: in a question of six words, "Zaire" is a name, and "loudest" requests one.
 */
export function fitSubwords(texts: readonly string[], options: SubwordOptions): Record<string, unknown> {
  const counts = new TextCounts(texts.length * 16);
  const reader = new SubwordReader(options.maxTokens);
  texts.forEach((text, row) => {
    const length = reader.read(text) * subwordSlots;
    for (let i = 0; i < length; i++) {
      const hash = reader.parts[i] as number;
      if (hash !== 0) counts.add(row, hash);
    }
  });
  const { maxTokens, margin } = options;
  return { maxTokens, margin, hashes: int32Bytes(counts.mostFrequent(options)) };
}

/** Rows of the embedding table: padding, the unknown word, and the known words and parts. */
export const subwordRows = ({ state }: FittedFeatures): number => 2 + readInt32s(state, 'hashes').length;

/**
 * Text → `ids` [N, T, S], int32: slot 0 is the word, or 1 for an unknown one; the other slots are its parts, 0 if
 * absent.
 */
export function createSubwordEncoder({ state }: FittedFeatures): RowEncoder {
  const margin = readInteger(state, 'margin');
  const hashes = readInt32s(state, 'hashes');
  const index = new HashIndex(hashes.length);
  for (const hash of hashes) index.add(hash);
  const reader = new SubwordReader(readInteger(state, 'maxTokens'));

  const idsOf = (text: string): Int32Array => {
    const ids = reader.parts.subarray(0, reader.read(text) * subwordSlots);
    for (let i = 0; i < ids.length; i++) {
      const number = ids[i] === 0 ? 0 : index.get(ids[i] as number);
      if (number !== 0) ids[i] = number + unknownWord;
      else ids[i] = i % subwordSlots === 0 ? unknownWord : 0;
    }
    return ids;
  };
  const prepare = (inputs: readonly RawInput[]): EncodedRows => {
    const texts = textsOf(inputs);
    const builder = new TokenRowsBuilder(texts.length, subwordSlots);
    for (const text of texts) builder.push(idsOf(text));
    const rows = builder.build();
    return {
      count: texts.length,
      length: (row) => rowLength(rows, row) / subwordSlots,
      batch: (indexes) => ({
        ids: asWords(padRows(rows, indexes, { margin: margin * subwordSlots, min: subwordSlots })),
      }),
    };
  };
  return rowEncoder(prepare);
}

const asWords = ({ dtype, shape: [rows = 0, width = 0], data }: TensorData): TensorData => ({
  dtype,
  shape: [rows, width / subwordSlots, subwordSlots],
  data,
});

/** Converts texts to hashes, `subwordSlots` per word, 0 for absent parts. */
class SubwordReader {
  /** Of the latest text. */
  readonly parts: Int32Array;
  readonly #words: Int32Array;
  readonly #spans: Int32Array;

  constructor(maxTokens: number) {
    this.parts = new Int32Array(maxTokens * subwordSlots);
    this.#words = new Int32Array(maxTokens);
    this.#spans = new Int32Array(2 * maxTokens);
  }

  /** Returns the number of words. */
  read(text: string): number {
    const count = tokenise(text, this.#words, this.#spans);
    const part = readPart(text, this.#words.length);
    const lower = part.toLowerCase();
    // A few letters become longer in lower case; positions then no longer match, and case is ignored.
    const written = lower.length === part.length ? part : lower;
    for (let i = 0; i < count; i++) {
      const [start, end] = [this.#spans[2 * i] as number, this.#spans[2 * i + 1] as number];
      const at = i * subwordSlots;
      this.parts[at] = this.#words[i] as number;
      this.parts[at + 1] = styleOf(written.slice(start, end), i === 0);
      this.#putAffixes(lower.slice(start, end), at + 2);
    }
    return count;
  }

  #putAffixes(word: string, at: number): void {
    const points = Array.from(word, (char) => char.codePointAt(0) as number);
    affixes.forEach((length, k) => {
      const known = points.length > length;
      this.parts[at + 2 * k] = known ? hashOf(points.slice(0, length), 2 * k + 1) : 0;
      this.parts[at + 2 * k + 1] = known ? hashOf(points.slice(-length), 2 * k + 2) : 0;
    });
  }
}

const digit = /\p{N}/u;
const capital = /^\p{Lu}/u;
const capitals = /^\p{Lu}{2,}$/u;

/** Hash of a word's shape: with digits, in capitals, capitalised, or other; and whether it is the first word. */
function styleOf(word: string, first: boolean): number {
  const style = digit.test(word) ? 1 : capitals.test(word) ? 2 : capital.test(word) ? 3 : 4;
  return hashOf([style, Number(first)], 0);
}

/** Hash of numbers, distinct for each `kind` and from the hashes of words. */
const hashOf = (values: readonly number[], kind: number): number =>
  finish(values.reduce(extend, extend(0, 0x110000 + kind)));
