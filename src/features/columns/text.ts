import { type ColumnValues, textValuesOf } from '../../domain/table.ts';
import { tokenise } from '../tokenise.ts';
import { categoryOf, fitCategories } from './category.ts';
import { type ColumnState, isColumnState, type TextKind } from './column-kind.ts';
import type { ColumnTargets } from './column-targets.ts';
import { fitStatistics, statisticsOf } from './target-statistics.ts';
import { fitWords, wordsOf } from './words.ts';

/** Rows of which it is found out what kind of text a column has. */
const SAMPLED = 10_000;
/** Texts have at least so many words on average; names and addresses have fewer. */
const MIN_WORDS = 4;
/** Fewer texts than that teach no words. */
const MIN_TEXTS = 50;
/** Up to this share of the rows may have a value that is rare, and up to so many values be categories, without statistics of the target. */
const MAX_RARE = 0.02;
const FEW_CATEGORIES = 16;

/** Texts of few different values, or enums: the frequent ones are categories. Of many values, also target statistics; of longer texts, their words. */
export const textKind: TextKind = {
  name: 'text',
  title: 'a text',
  types: [],
  categories: ['S', 'E'],
  stored: 'text',
  // a number would be written otherwise than the text was: 2.5 for '2.50'; a char(n) has spaces at its end that its text has not
  read: (value) => (typeof value === 'string' ? withoutPadding(value) : undefined),
  fit(column, rows, targets) {
    const categories = fitCategories(column, rows);
    return targets === undefined ? categories : { ...categories, ...learnt(column, rows, { targets, categories }) };
  },
  features: (state) => {
    const { words, statistics } = state;
    return [
      categoryOf(state),
      ...(isColumnState(statistics) ? statisticsOf(statistics) : []),
      ...(isColumnState(words) ? wordsOf(words) : []),
    ];
  },
};

/** What is learnt of the target, in addition to categories. */
function learnt(
  column: ColumnValues,
  rows: Int32Array,
  { targets, categories }: { targets: ColumnTargets; categories: ColumnState },
): ColumnState {
  const { codes, texts } = textValuesOf(column);
  const stride = Math.max(1, Math.floor(rows.length / SAMPLED));
  const known = new Set(categories['values'] as readonly string[]);
  const sample = Array.from(rows)
    .filter((row, i) => i % stride === 0 && (codes[row] as number) >= 0)
    .map((row) => texts[codes[row] as number] as string);
  const rare = sample.filter((text) => !known.has(text));
  const isRare = rare.length > MAX_RARE * sample.length;
  const words = rare.reduce((sum, text) => sum + wordsIn(text), 0) / Math.max(1, rare.length);
  if (isRare && rare.length >= MIN_TEXTS && words >= MIN_WORDS) return { words: fitWords(column, rows, targets) };
  return isRare || known.size > FEW_CATEGORIES ? { statistics: fitStatistics(column, rows, targets) } : {};
}

/** A longer text has words enough. */
const counted = new Int32Array(64);
const wordsIn = (text: string): number => tokenise(text, counted);

/** Linear in the number of spaces. */
function withoutPadding(text: string): string {
  let end = text.length;
  while (text[end - 1] === ' ') end--;
  return text.slice(0, end);
}
