import type { RawInput } from '../domain/task.ts';
import type { FittedFeatures } from '../domain/training.ts';
import { type EncodedRows, type RowEncoder, rowEncoder, textsOf } from './encoder.ts';
import { HashIndex } from './hash-index.ts';
import { int32Bytes, readInt32s, readInteger } from './state.ts';
import { TextCounts } from './text-counts.ts';
import { padRows, rowLength, type TokenRows, TokenRowsBuilder } from './token-rows.ts';
import { chain, tokenise } from './tokenise.ts';

export interface NgramOptions {
  /** Maximum n of the n-grams; 1 means words only. */
  ngrams: number;
  /** Maximum words per text; the rest is ignored. */
  maxTokens: number;
  /** Minimum number of training texts with an n-gram for it to get a row. */
  minTexts: number;
  /** Maximum number of n-grams with rows, the most frequent ones. */
  maxRows: number;
  /** 0: unknown n-grams are left out. 1: they get id 1, so that positions are kept, as a sequence model needs. */
  unknown: 0 | 1;
  /** Zeros after the longest text of a batch. */
  margin: number;
}

/**
 * Determines which n-grams get rows. fastText hashes n-grams into a fixed table of buckets, with collisions and mostly
 * untrained rows; here the vocabulary consists of the 32-bit hashes that occur repeatedly in the training rows, so the
 * table is as small as the data (35,000 rows for 7,000 sentences instead of 2,000,000) and hashing stays fast.
 */
export function fitNgrams(texts: readonly string[], options: NgramOptions): Record<string, unknown> {
  const counts = new TextCounts(texts.length * 8);
  const scratch = new Int32Array(options.maxTokens);
  const grams = new Int32Array(options.maxTokens * options.ngrams);
  texts.forEach((text, row) => {
    const length = ngramsOf(text, options.ngrams, { scratch, grams });
    for (let i = 0; i < length; i++) counts.add(row, grams[i] as number);
  });
  return {
    ngrams: options.ngrams,
    maxTokens: options.maxTokens,
    unknown: options.unknown,
    margin: options.margin,
    hashes: int32Bytes(counts.mostFrequent(options)),
  };
}

/** Rows of the embedding table: padding, the unknown word if there is one, the n-grams. */
export function tableRows(features: FittedFeatures): number {
  const known = readInt32s(features.state, 'hashes').length;
  return 1 + readInteger(features.state, 'unknown') + known;
}

/** Text → `ids` [N, T], int32, 0 after the end of a text. */
export function createNgramEncoder(features: FittedFeatures): RowEncoder {
  const { state } = features;
  const ngrams = readInteger(state, 'ngrams');
  const unknown = readInteger(state, 'unknown');
  const margin = readInteger(state, 'margin');
  const maxTokens = readInteger(state, 'maxTokens');
  const hashes = readInt32s(state, 'hashes');
  const index = new HashIndex(hashes.length);
  for (const hash of hashes) index.add(hash);
  const buffers = { scratch: new Int32Array(maxTokens), grams: new Int32Array(maxTokens * ngrams) };

  const idsOf = (text: string): Int32Array => {
    const { grams } = buffers;
    const length = ngramsOf(text, ngrams, buffers);
    let kept = 0;
    for (let i = 0; i < length; i++) {
      const number = index.get(grams[i] as number);
      const id = number === 0 ? unknown : number + unknown;
      if (id !== 0) grams[kept++] = id;
    }
    return grams.subarray(0, kept);
  };
  const rowsOf = (texts: readonly string[]): TokenRows => {
    const rows = new TokenRowsBuilder(texts.length);
    for (const text of texts) rows.push(idsOf(text));
    return rows.build();
  };
  const prepare = (inputs: readonly RawInput[]): EncodedRows => {
    const texts = textsOf(inputs);
    const rows = rowsOf(texts);
    return {
      count: texts.length,
      length: (row) => rowLength(rows, row),
      batch: (indexes) => ({ ids: padRows(rows, indexes, { margin, min: 1 }) }),
    };
  };
  return rowEncoder(prepare);
}

/** Writes a text's words, then its bigrams, and so on to `grams`. Returns their number. */
function ngramsOf(text: string, maxN: number, { scratch, grams }: { scratch: Int32Array; grams: Int32Array }): number {
  const words = tokenise(text, scratch);
  grams.set(scratch.subarray(0, words));
  let length = words;
  for (let n = 2; n <= maxN; n++) {
    const previous = length - Math.max(0, words - n + 2); // start of the (n−1)-grams
    for (let i = 0; i + n <= words; i++) {
      grams[length++] = chain(grams[previous + i] as number, scratch[i + n - 1] as number);
    }
  }
  return length;
}
