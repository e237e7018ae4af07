import { type ColumnValues, numbersOfTexts, textValuesOf } from '../../domain/table.ts';
import { float32Bytes, readFloat32s, unfit } from '../state.ts';
import type { ColumnFeature, ColumnState } from './column-kind.ts';
import { type ColumnTargets, FOLDS } from './column-targets.ts';
import { rememberLast } from './remember-last.ts';

/** A value of one row says nothing of others. */
const MIN_ROWS = 2;
/** The most frequent ones; a model keeps them all. */
const MAX_VALUES = 20_000;
/** As many rows of the mean of all count with those of a value (Micci-Barreca 2001). */
const PRIOR_ROWS = 10;

/** Target statistics: what the training rows with a value answer on average, in numbers per group of classes, or of the one number. */
interface Statistics {
  width: number;
  values: string[];
  /** [values, width] */
  means: Float32Array;
  /** Of all rows, and of values that are not known. */
  prior: Float32Array;
}

/** Sums of answers by value: [values + 1, width + 1], the last row of all, the last column of how many they are. */
type Sums = Float64Array;

/** How many numbers describe an answer: of two classes the share of the second is enough. */
const widthOf = ({ groups }: ColumnTargets): number => Math.max(1, groups === 2 ? 1 : groups);

const answerOf = ({ values, groups }: ColumnTargets, i: number, k: number): number =>
  groups === 0 ? (values[i] as number) : Number(values[i] === (groups === 2 ? 1 : k));

/** The texts that enough rows have, the most frequent first. */
function frequentTexts(column: ColumnValues, rows: Int32Array): string[] {
  const { codes, texts } = textValuesOf(column);
  const counts = new Int32Array(texts.length);
  for (const row of rows) if ((codes[row] as number) >= 0) counts[codes[row] as number]!++;
  return Array.from(counts, (count, code) => ({ count, text: texts[code] as string }))
    .filter(({ count }) => count >= MIN_ROWS)
    .sort((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1))
    .slice(0, MAX_VALUES)
    .map(({ text }) => text);
}

/** The places of rows' texts among some known ones. */
class KnownTexts {
  /** Of a column's distinct texts. */
  readonly #ofTexts: (texts: readonly string[]) => Int32Array;

  constructor(values: readonly string[]) {
    const places = new Map(values.map((value, i) => [value, i]));
    this.#ofTexts = rememberLast((texts) => numbersOfTexts(texts, (text) => places.get(text) ?? -1));
  }

  /** Of each row: −1 for another text, −2 for NULL. */
  placesOf(column: ColumnValues, rows: Int32Array): Int32Array {
    const { codes, texts } = textValuesOf(column);
    const places = this.#ofTexts(texts);
    return rows.map((row) => places[codes[row] as number] ?? -2);
  }
}

function addTo(sums: Sums, place: number, { targets, i, width }: { targets: ColumnTargets; i: number; width: number }) {
  const at = place * (width + 1);
  for (let k = 0; k < width; k++) sums[at + k]! += answerOf(targets, i, k);
  sums[at + width]!++;
}

/** The mean of a value's answers, drawn to that of all; where some are left out, of the others. */
function smoothed({ sums, without }: { sums: Sums; without?: Sums }, at: number, k: number, width: number): number {
  const of = (place: number, column: number): number =>
    (sums[place * (width + 1) + column] as number) - (without?.[place * (width + 1) + column] ?? 0);
  const last = sums.length / (width + 1) - 1;
  const prior = of(last, k) / Math.max(1, of(last, width));
  return at < 0 ? prior : (of(at, k) + PRIOR_ROWS * prior) / (of(at, width) + PRIOR_ROWS);
}

export function fitStatistics(column: ColumnValues, rows: Int32Array, targets: ColumnTargets): ColumnState {
  const [values, width] = [frequentTexts(column, rows), widthOf(targets)];
  const sums = new Float64Array((values.length + 1) * (width + 1));
  for (const [i, place] of new KnownTexts(values).placesOf(column, rows).entries()) {
    if (place >= 0) addTo(sums, place, { targets, i, width });
    addTo(sums, values.length, { targets, i, width });
  }
  const means = Float32Array.from({ length: values.length * width }, (_, at) =>
    smoothed({ sums }, Math.floor(at / width), at % width, width),
  );
  const prior = Float32Array.from({ length: width }, (_, k) => smoothed({ sums }, -1, k, width));
  return { width, values, means: float32Bytes(means), prior: float32Bytes(prior) };
}

export function statisticsOf(state: ColumnState): ColumnFeature[] {
  const { width, values, means, prior } = readStatistics(state);
  const known = new KnownTexts(values);
  return Array.from({ length: width }, (_, k) => ({
    part: width === 1 ? 'statistic' : `statistic ${k + 1}`,
    categories: 0,
    values(column, rows) {
      const found = new Float32Array(rows.length);
      for (const [i, place] of known.placesOf(column, rows).entries())
        found[i] = place === -2 ? Number.NaN : ((place < 0 ? prior[k] : means[place * width + k]) as number);
      return found;
    },
    trainingValues: (column, rows, targets) =>
      othersMeans(known.placesOf(column, rows), targets, { values: values.length, width, k }),
  }));
}

/** Of each row, what the rows of the other folds answer that have its value. */
function othersMeans(
  places: Int32Array,
  targets: ColumnTargets,
  { values, width, k }: Record<'values' | 'width' | 'k', number>,
): Float32Array {
  const size = (values + 1) * (width + 1);
  const sums = new Float64Array(size);
  const parts = Array.from({ length: FOLDS }, () => new Float64Array(size));
  for (const [i, place] of places.entries())
    for (const to of [sums, parts[targets.folds[i] as number] as Float64Array]) {
      if (place >= 0) addTo(to, place, { targets, i, width });
      addTo(to, values, { targets, i, width });
    }
  return Float32Array.from(places, (place, i) => {
    const without = parts[targets.folds[i] as number] as Float64Array;
    return place === -2 ? Number.NaN : smoothed({ sums, without }, place, k, width);
  });
}

function readStatistics(state: ColumnState): Statistics {
  const { width, values } = state;
  if (typeof width !== 'number' || !Array.isArray(values) || !values.every((value) => typeof value === 'string'))
    throw unfit('values', 'a list of texts');
  return { width, values, means: readFloat32s(state, 'means'), prior: readFloat32s(state, 'prior') };
}
