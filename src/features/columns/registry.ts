import { EnvironmentUnfit } from '../../errors/errors.ts';
import { booleanKind } from './boolean.ts';
import type { ColumnKind } from './column-kind.ts';
import { intervalKind } from './interval.ts';
import { listKind } from './list.ts';
import { numberKind } from './number.ts';
import { objectKind } from './object.ts';
import { textKind } from './text.ts';
import { timeKind } from './time.ts';

/** The kinds of columns that models of several columns read; SQL finds them in `rafiki.column_kind`. */
export const columnKinds: readonly ColumnKind[] = [
  numberKind,
  booleanKind,
  textKind,
  timeKind,
  intervalKind,
  objectKind,
  listKind,
];

/** Throws EnvironmentUnfit for a name that only another version knows. */
export function columnKind(name: string): ColumnKind {
  const kind = columnKinds.find((known) => known.name === name);
  if (kind !== undefined) return kind;
  throw new EnvironmentUnfit('a column is of a kind that is unknown to this version', {
    detail: `kind "${name}"`,
    hint: 'Run the version of Rafiki that trained the model, or train it again.',
  });
}
