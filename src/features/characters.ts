import type { RawInput } from '../domain/task.ts';
import type { FittedFeatures } from '../domain/training.ts';
import { type EncodedRows, type RowEncoder, rowEncoder, textsOf } from './encoder.ts';
import { HashIndex } from './hash-index.ts';
import { int32Bytes, readInt32s, readInteger } from './state.ts';
import { TextCounts } from './text-counts.ts';
import { padRows, rowLength, TokenRowsBuilder } from './token-rows.ts';

export interface CharacterOptions {
  /** Characters read of a text; the rest is ignored. */
  maxCharacters: number;
  /** In how many training texts a character must occur to get a number of its own. */
  minTexts: number;
  /** The most frequent so many characters are kept. */
  maxRows: number;
  /** Zeros after the longest text of a batch. */
  margin: number;
  /** Widths are multiples of it. */
  multiple: number;
}

/** The number that all unknown characters share. */
const unknown = 1;

/**
 * Learns which characters get numbers. A character is a code point of the text in normal form C: an emoji is one, an accent
 * is part of its letter where Unicode has such a letter, and half of a surrogate pair is a character like any other.
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

/** Rows that an embedding of these characters needs: padding, the unknown character, and the known ones. */
export const characterRows = ({ state }: FittedFeatures): number => 2 + readInt32s(state, 'points').length;

/** Text → `ids` [N, T], int32: 1 for an unknown character, 0 where a text has ended. */
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

/** For the first guess of how much memory rows take. */
const charactersPerWord = 6;

/** No character of normal form C comes from more than so many units of the text as it is given. */
const unitsPerCharacter = 4;

/** Writes the first code points of a text into `out`, as many as fit, and returns how many there are. */
function pointsOf(text: string, out: Int32Array): number {
  let count = 0;
  for (const char of text.slice(0, out.length * unitsPerCharacter).normalize('NFC')) {
    if (count === out.length) break;
    out[count++] = char.codePointAt(0) as number;
  }
  return count;
}
