import type { RawInput } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import type { SparseRows } from '../../linear/sparse-rows.ts';
import { type EncodedRows, type RowEncoder, rowEncoder, textsOf } from '../encoder.ts';
import { HashIndex } from '../hash-index.ts';
import { float32Bytes, int32Bytes, readFloat32s, readInt32s, readInteger, readNumber } from '../state.ts';
import { TextCounts } from '../text-counts.ts';
import { type GramLengths, TextGrams } from './text-grams.ts';

export interface WeightedNgramOptions extends GramLengths {
  /** Minimum number of training texts with an n-gram for it to get a column. */
  minTexts: number;
  /** Maximum columns of words, and of characters, the most frequent ones. */
  maxColumns: number;
  /** Maximum n-grams of a text; those that weigh most are kept. */
  maxEntries: number;
  /** Norm of the weights of a text's n-grams of characters; that of words is 1. */
  characterNorm: number;
}

/**
 * TF-IDF: an n-gram that is tf times in a text, and in df of n training texts, weighs (1 + ln tf) · (1 + ln((1 + n) / (1 + df))); the weights of
 * the n-grams of words of a text, and those of characters, have norm 1 each (`TfidfVectorizer(sublinear_tf=True)` of scikit-learn).
 */
export function fitWeightedNgrams(texts: readonly string[], options: WeightedNgramOptions): Record<string, unknown> {
  const grams = new TextGrams(options);
  const counts = { words: new TextCounts(texts.length * 8), characters: new TextCounts(texts.length * 16) };
  texts.forEach((text, row) => {
    const { words, characters } = grams.read(text);
    for (const hash of words) counts.words.add(row, hash);
    for (const hash of characters) counts.characters.add(row, hash);
  });
  const limits = { minTexts: options.minTexts, maxRows: options.maxColumns };
  const [words, characters] = [counts.words.mostFrequent(limits), counts.characters.mostFrequent(limits)];
  const rarity = (kind: keyof typeof counts, hashes: Int32Array): number[] =>
    Array.from(hashes, (hash) => 1 + Math.log((1 + texts.length) / (1 + counts[kind].countOf(hash))));
  return {
    ...{ words: options.words, characters: options.characters, maxTokens: options.maxTokens },
    ...{ maxEntries: options.maxEntries, characterNorm: options.characterNorm },
    wordHashes: int32Bytes(words),
    characterHashes: int32Bytes(characters),
    rarities: float32Bytes(Float32Array.from([...rarity('words', words), ...rarity('characters', characters)])),
  };
}

type NgramState = Record<string, unknown>;

/** Text → `ids` [N, T], int32, 0 after the end of a text, and `weights` [N, T], float32: their columns and values. */
export function createWeightedNgramEncoder({ state }: FittedFeatures): RowEncoder {
  const ngrams = new WeightedNgrams(state);
  return rowEncoder((inputs: readonly RawInput[]): EncodedRows => {
    const rows = ngrams.rows(textsOf(inputs));
    const length = (row: number): number => (rows.offsets[row + 1] ?? 0) - (rows.offsets[row] ?? 0);
    return { count: rows.count, length, batch: (indexes) => padded(rows, indexes) };
  });
}

function padded({ offsets, ids, weights }: SparseRows, indexes: Int32Array): Record<'ids' | 'weights', TensorData> {
  const bounds = Array.from(indexes, (row) => [offsets[row] as number, offsets[row + 1] as number] as const);
  const width = bounds.reduce((longest, [start, end]) => Math.max(longest, end - start), 1);
  const shape = [indexes.length, width];
  const data = { ids: new Int32Array(indexes.length * width), weights: new Float32Array(indexes.length * width) };
  for (const [i, [start, end]] of bounds.entries()) {
    data.ids.set(ids.subarray(start, end), i * width);
    data.weights.set(weights.subarray(start, end), i * width);
  }
  return {
    ids: { dtype: 'int32', shape, data: data.ids },
    weights: { dtype: 'float32', shape, data: data.weights },
  };
}

/** Reads texts as rows of weighted n-grams, by fitted state. */
export class WeightedNgrams {
  readonly #grams: TextGrams;
  readonly #index: { words: HashIndex; characters: HashIndex };
  readonly #wordCount: number;
  readonly #rarities: Float32Array;
  readonly #maxEntries: number;
  readonly #characterNorm: number;
  /** How often each column is in the text; zeros between two texts. */
  readonly #counts: Int32Array;
  #ids = new Int32Array(1024);
  #weights = new Float32Array(1024);

  constructor(state: NgramState) {
    const [words, characters] = [readInt32s(state, 'wordHashes'), readInt32s(state, 'characterHashes')];
    this.#grams = new TextGrams({
      words: readInteger(state, 'words'),
      characters: readInteger(state, 'characters'),
      maxTokens: readInteger(state, 'maxTokens'),
    });
    this.#index = { words: indexOf(words), characters: indexOf(characters) };
    this.#wordCount = words.length;
    this.#rarities = readFloat32s(state, 'rarities');
    this.#maxEntries = readInteger(state, 'maxEntries');
    this.#characterNorm = readNumber(state, 'characterNorm');
    this.#counts = new Int32Array(1 + this.#rarities.length);
  }

  /** Of the rows: 0, which none has, and one for each n-gram. */
  get columns(): number {
    return 1 + this.#rarities.length;
  }

  rows(texts: readonly string[]): SparseRows {
    const offsets = new Int32Array(texts.length + 1);
    let [ids, weights] = [new Int32Array(texts.length * 64), new Float32Array(texts.length * 64)];
    let total = 0;
    for (const [row, text] of texts.entries()) {
      const own = this.#weigh(text);
      if (total + own.ids.length > ids.length) {
        const size = Math.max(2 * ids.length, total + own.ids.length);
        const larger = { ids: new Int32Array(size), weights: new Float32Array(size) };
        larger.ids.set(ids);
        larger.weights.set(weights);
        [ids, weights] = [larger.ids, larger.weights];
      }
      ids.set(own.ids, total);
      weights.set(own.weights, total);
      total += own.ids.length;
      offsets[row + 1] = total;
    }
    return { count: texts.length, offsets, ids: ids.subarray(0, total), weights: weights.subarray(0, total) };
  }

  /** Valid until the next text. */
  #weigh(text: string): { ids: Int32Array; weights: Float32Array } {
    const { words, characters } = this.#grams.read(text);
    this.#reserve(words.length + characters.length);
    const ofWords = this.#weighAll(words, { index: this.#index.words, before: 0, from: 0, norm: 1 });
    const rest = {
      index: this.#index.characters,
      before: this.#wordCount,
      from: ofWords,
      norm: this.#characterNorm,
    };
    const total = this.#weighAll(characters, rest);
    const all = { ids: this.#ids.subarray(0, total), weights: this.#weights.subarray(0, total) };
    return total > this.#maxEntries ? heaviest(all, this.#maxEntries) : all;
  }

  /** Writes the known ones of some n-grams from place `from` on; their columns come after `before` others. Returns the end. */
  #weighAll(hashes: Int32Array, { index, before, from, norm }: GramPart): number {
    let end = from;
    for (const hash of hashes) {
      const number = index.get(hash);
      if (number === 0) continue;
      const id = before + number;
      if (this.#counts[id]!++ === 0) this.#ids[end++] = id;
    }
    let square = 0;
    for (let i = from; i < end; i++) {
      const id = this.#ids[i] as number;
      const weight = (1 + Math.log(this.#counts[id] as number)) * (this.#rarities[id - 1] as number);
      this.#weights[i] = weight;
      square += weight * weight;
      this.#counts[id] = 0;
    }
    const scale = square > 0 ? norm / Math.sqrt(square) : 0;
    for (let i = from; i < end; i++) this.#weights[i]! *= scale;
    return end;
  }

  #reserve(entries: number): void {
    if (entries <= this.#ids.length) return;
    this.#ids = new Int32Array(2 * entries);
    this.#weights = new Float32Array(2 * entries);
  }
}

interface GramPart {
  index: HashIndex;
  before: number;
  from: number;
  norm: number;
}

function indexOf(hashes: Int32Array): HashIndex {
  const index = new HashIndex(hashes.length);
  for (const hash of hashes) index.add(hash);
  return index;
}

/** The entries that weigh most, in their order; of equal ones the first. */
function heaviest({ ids, weights }: { ids: Int32Array; weights: Float32Array }, count: number) {
  const places = Array.from(ids, (_, i) => i)
    .sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);
  return {
    ids: Int32Array.from(places, (i) => ids[i] as number),
    weights: Float32Array.from(places, (i) => weights[i] as number),
  };
}
