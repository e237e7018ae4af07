import { type ColumnValues, numbersOfTexts, textValuesOf } from '../../domain/table.ts';
import { unfit } from '../state.ts';
import type { ColumnFeature, ColumnState } from './column-kind.ts';
import { rememberLast } from './remember-last.ts';

/** The categories of NULL and of a value that is not known. */
const NULL = 0;
export const UNKNOWN = 1;

/** A value in fewer training rows is treated as one that was never seen: what so few rows show is mostly chance. */
const MIN_ROWS = 4;
/** With NULL and unknown values as many categories as a byte has values, but for one. */
const MAX_VALUES = 253;
/** A longer text is not the name of a category. */
const MAX_CHARS = 200;

/** The frequent values of the rows, the most frequent first; of equally frequent ones the smaller first, so that equal rows give equal states. */
export function fitCategories(column: ColumnValues, rows: Int32Array): ColumnState {
  const { codes, texts } = textValuesOf(column);
  const counts = new Int32Array(texts.length);
  for (const row of rows) if ((codes[row] as number) >= 0) counts[codes[row] as number]!++;
  const values = Array.from(counts, (count, code) => ({ count, text: texts[code] as string }))
    .filter(({ count, text }) => count >= MIN_ROWS && text.length <= MAX_CHARS)
    .sort((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1))
    .slice(0, MAX_VALUES)
    .map(({ text }) => text);
  return { values };
}

export function categoryOf(state: ColumnState): ColumnFeature {
  const { values } = state;
  if (!Array.isArray(values) || !values.every((value) => typeof value === 'string'))
    throw unfit('values', 'a list of texts');
  const known = new Map(values.map((value: string, i) => [value, UNKNOWN + 1 + i]));
  const categoriesOf = rememberLast((texts: readonly string[]) =>
    numbersOfTexts(texts, (text) => known.get(text) ?? UNKNOWN),
  );
  return {
    part: '',
    categories: UNKNOWN + 1 + values.length,
    values(column, rows) {
      const { codes, texts } = textValuesOf(column);
      const categories = categoriesOf(texts);
      const values = new Float32Array(rows.length);
      for (let i = 0; i < rows.length; i++) values[i] = categories[codes[rows[i] as number] as number] ?? NULL;
      return values;
    },
  };
}
