import { categoryOf, fitCategories } from './category.ts';
import type { TextKind } from './column-kind.ts';

/** A text of few different values, or an enum: its frequent values are categories. */
export const textKind: TextKind = {
  name: 'text',
  title: 'a text of few different values',
  types: [],
  categories: ['S', 'E'],
  stored: 'text',
  read: (value) => {
    if (typeof value === 'string') return value;
    return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
  },
  fit: fitCategories,
  features: (state) => [categoryOf(state)],
};
