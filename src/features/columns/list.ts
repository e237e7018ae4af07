import { type ColumnValues, textValuesOf } from '../../domain/table.ts';
import { readInteger } from '../state.ts';
import type { ColumnFeature, TextKind } from './column-kind.ts';
import { numberKind } from './number.ts';
import { rememberLast } from './remember-last.ts';

/** An element is a feature by its place if nearly all rows have as many elements, as embeddings and measurements do. */
const SAME_LENGTH = 0.9;
const MAX_PLACES = 1024;
/** Of lists of other lengths only the first elements are, in addition to what is said of all. */
const FIRST_PLACES = 16;

/** Of Postgres' arrays. */
const MAX_DIMENSIONS = 6;

/** Elements of an array of any dimensions, which are numbers or null; undefined if one is something else. */
function readElements(value: readonly unknown[], found: number[] = [], dimension = 1): number[] | undefined {
  for (const element of value) {
    if (Array.isArray(element)) {
      if (dimension === MAX_DIMENSIONS || readElements(element, found, dimension + 1) === undefined) return undefined;
      continue;
    }
    const number = element === null ? Number.NaN : numberKind.read(element);
    if (number === undefined) return undefined;
    found.push(number);
  }
  return found;
}

const written = (elements: readonly number[]): string => `[${elements.join(',')}]`;
/** Of a list as {@link listKind} has read it; NaN stands for null. */
export const elementsOf = (text: string): number[] => (text === '[]' ? [] : text.slice(1, -1).split(',').map(Number));

/** The figures of a row: how many elements it has, their mean, the smallest and the largest; NaN if there are none. */
const SUMMARIES = ['length', 'mean', 'smallest', 'largest'] as const;

function summariesOf(elements: readonly number[]): number[] {
  const present = elements.filter((element) => !Number.isNaN(element));
  if (present.length === 0) return [elements.length, Number.NaN, Number.NaN, Number.NaN];
  const mean = present.reduce((sum, element) => sum + element / present.length, 0);
  const smallest = present.reduce((least, element) => Math.min(least, element));
  const largest = present.reduce((most, element) => Math.max(most, element));
  return [elements.length, mean, smallest, largest];
}

/** Arrays of numbers: the elements by their place, and figures of all. */
export const listKind: TextKind = {
  name: 'list',
  title: 'an array of numbers',
  types: ['_int2', '_int4', '_int8', '_float4', '_float8', '_numeric'],
  stored: 'text',
  read(value) {
    const elements = Array.isArray(value) ? readElements(value) : undefined;
    return elements === undefined ? undefined : written(elements);
  },
  fit(column, rows) {
    const { codes, texts } = textValuesOf(column);
    const lengths = texts.map((text) => elementsOf(text).length);
    const counts = new Map<number, number>();
    let present = 0;
    for (const row of rows) {
      const length = lengths[codes[row] as number];
      if (length === undefined) continue;
      counts.set(length, (counts.get(length) ?? 0) + 1);
      present++;
    }
    const [usual = 0, most = 0] = [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0] ?? [];
    if (usual > 0 && most >= SAME_LENGTH * present && usual <= MAX_PLACES) return { places: usual, summaries: 0 };
    return { places: Math.min(FIRST_PLACES, Math.max(0, ...counts.keys())), summaries: SUMMARIES.length };
  },
  features(state) {
    const [places, summaries] = [readInteger(state, 'places'), readInteger(state, 'summaries')];
    const width = places + summaries;
    /** [distinct texts, width] */
    const figures = rememberLast((texts: readonly string[]) => figuresOf(texts, places, summaries));
    return Array.from(
      { length: width },
      (_, k): ColumnFeature => ({
        part: k < places ? `[${k + 1}]` : (SUMMARIES[k - places] ?? ''),
        categories: 0,
        values: (column: ColumnValues, rows: Int32Array) => {
          const { codes, texts } = textValuesOf(column);
          const all = figures(texts);
          const found = new Float32Array(rows.length);
          for (let i = 0; i < rows.length; i++)
            found[i] = all[(codes[rows[i] as number] as number) * width + k] ?? Number.NaN;
          return found;
        },
      }),
    );
  },
};

function figuresOf(texts: readonly string[], places: number, summaries: number): Float32Array {
  const width = places + summaries;
  const all = new Float32Array(texts.length * width).fill(Number.NaN);
  for (const [i, text] of texts.entries()) {
    const elements = elementsOf(text);
    all.set(elements.slice(0, places), i * width);
    if (summaries > 0) all.set(summariesOf(elements), i * width + places);
  }
  return all;
}
