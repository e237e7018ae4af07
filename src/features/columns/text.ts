import { categoryOf, fitCategories } from './category.ts';
import type { TextKind } from './column-kind.ts';

/** A text of few different values, or an enum: its frequent values are categories. */
export const textKind: TextKind = {
  name: 'text',
  title: 'a text of few different values',
  types: [],
  categories: ['S', 'E'],
  stored: 'text',
  // a number would be written otherwise than the text was: 2.5 for '2.50'; a char(n) has spaces at its end that its text has not
  read: (value) => (typeof value === 'string' ? withoutPadding(value) : undefined),
  fit: fitCategories,
  features: (state) => [categoryOf(state)],
};

/** Linear in the number of spaces. */
function withoutPadding(text: string): string {
  let end = text.length;
  while (text[end - 1] === ' ') end--;
  return text.slice(0, end);
}
