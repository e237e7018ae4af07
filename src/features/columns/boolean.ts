import type { NumberKind } from './column-kind.ts';
import { plainNumbers } from './number.ts';

/** True is 1, false 0. */
export const booleanKind: NumberKind = {
  name: 'boolean',
  title: 'true or false',
  types: ['bool'],
  stored: 'float32',
  read: (value) => (value === true || value === 'true' ? 1 : value === false || value === 'false' ? 0 : undefined),
  fit: () => ({}),
  features: () => [plainNumbers],
};
