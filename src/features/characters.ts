import type { RawInput } from '../domain/task.ts';
import type { FittedFeatures } from '../domain/training.ts';
import { type EncodedRows, type RowEncoder, rowEncoder, textsOf } from './encoder.ts';
import { HashIndex } from './hash-index.ts';
import { int32Bytes, readInt32s, readInteger } from './state.ts';
import { TextCounts } from './text-counts.ts';
import { padRows, rowLength, TokenRowsBuilder } from './token-rows.ts';

export interface CharacterOptions {
  /** Maximum characters per text; the rest is ignored. */
  maxCharacters: number;
  /** Minimum number of training texts with a character for it to get an id. */
  minTexts: number;
  /** Maximum number of characters with ids, the most frequent ones. */
  maxRows: number;
  /** Zeros after the longest text of a batch. */
  margin: number;
  /** Widths are a multiple of this. */
  multiple: number;
}

/** The shared id of all unknown characters. */
const unknown = 1;

/**
 * Determines which characters get ids. A character is a code point of the text in normal form C: an emoji is one, an
 * accent is part of its letter if Unicode has the combined letter, and half of a surrogate pair counts as a character.
 */
export function fitCharacters(texts: readonly string[], options: CharacterOptions): Record<string, unknown> {
  const counts = new TextCounts(1024);
  const points = new Int32Array(options.maxCharacters);
  texts.forEach((text, row) => {
    const length = pointsOf(text, points);
    for (let i = 0; i < length; i++) counts.add(row, points[i] as number);
  });
  const { maxCharacters, margin, multiple } = options;
  return { maxCharacters, margin, multiple, points: int32Bytes(counts.mostFrequent(options)) };
}

/** Rows of an embedding: padding, the unknown character, and the known ones. */
export const characterRows = ({ state }: FittedFeatures): number => 2 + readInt32s(state, 'points').length;

/** Text → `ids` [N, T], int32: 1 for an unknown character, 0 after the end of a text. */
export function createCharacterEncoder({ state }: FittedFeatures): RowEncoder {
  const margin = readInteger(state, 'margin');
  const multiple = readInteger(state, 'multiple');
  const buffer = new Int32Array(readInteger(state, 'maxCharacters'));
  const known = readInt32s(state, 'points');
  const index = new HashIndex(known.length);
  for (const point of known) index.add(point);

  const idsOf = (text: string): Int32Array => {
    const ids = buffer.subarray(0, pointsOf(text, buffer));
    for (let i = 0; i < ids.length; i++) {
      const number = index.get(ids[i] as number);
      ids[i] = number === 0 ? unknown : number + unknown;
    }
    return ids;
  };
  const prepare = (inputs: readonly RawInput[]): EncodedRows => {
    const texts = textsOf(inputs);
    const builder = new TokenRowsBuilder(texts.length, charactersPerWord);
    for (const text of texts) builder.push(idsOf(text));
    const rows = builder.build();
    return {
      count: texts.length,
      length: (row) => rowLength(rows, row),
      batch: (indexes) => ({ ids: padRows(rows, indexes, { margin, min: multiple, multiple }) }),
    };
  };
  return rowEncoder(prepare);
}

/** For a first estimate of the rows' memory. */
const charactersPerWord = 6;

/** The maximum number of input units that become one character in normal form C. */
const unitsPerCharacter = 4;

/** Writes the first code points of a text to `out`, up to its length. Returns their number. */
function pointsOf(text: string, out: Int32Array): number {
  let count = 0;
  for (const char of text.slice(0, out.length * unitsPerCharacter).normalize('NFC')) {
    if (count === out.length) break;
    out[count++] = char.codePointAt(0) as number;
  }
  return count;
}
