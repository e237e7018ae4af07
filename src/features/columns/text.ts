import { categoryOf, fitCategories } from './category.ts';
import type { TextKind } from './column-kind.ts';

/** A text of few different values, or an enum: its frequent values are categories. */
export const textKind: TextKind = {
  name: 'text',
  title: 'a text of few different values',
  types: [],
  categories: ['S', 'E'],
  stored: 'text',
  read: (value) => (typeof value === 'string' ? value : undefined), // a number would be written otherwise: 2.5 for '2.50'
  fit: fitCategories,
  features: (state) => [categoryOf(state)],
};
