import type { ColumnValues, InputColumn, Table } from '../../domain/table.ts';
import { unfit } from '../state.ts';
import type { ColumnFeature, ColumnState } from './column-kind.ts';
import type { ColumnTargets } from './column-targets.ts';
import { columnKind } from './registry.ts';
import type { SomeRows } from './table-rows.ts';

/** A column that a model reads, fitted to training rows: plain data. */
export interface FittedColumn extends InputColumn {
  state: ColumnState;
}

/** A feature of a fitted column. */
export interface TableFeature extends ColumnFeature {
  column: string;
}

/** Fits the columns of a table to these of its rows; what is learnt of them is needed for words and for target statistics. */
export const fitColumns = ({ table, rows }: SomeRows, targets?: ColumnTargets): FittedColumn[] =>
  [...table.columns].map(([name, values]) => ({
    name,
    kind: values.kind,
    state: columnKind(values.kind).fit(values, rows, targets),
  }));

/** The features of all columns, in order. */
export const tableFeatures = (columns: readonly FittedColumn[]): TableFeature[] =>
  columns.flatMap(({ name, kind, state }) =>
    columnKind(kind)
      .features(state)
      .map((feature) => ({ ...feature, column: name })),
  );

/** The column of a table; throws a RangeError for one that it does not have. */
function valuesOf({ columns }: Pick<Table, 'columns'>, name: string): ColumnValues {
  const values = columns.get(name);
  if (values === undefined) throw new RangeError(`a table has no column "${name}"`);
  return values;
}

/** A feature's values of these rows, one a row; of rows that are trained on, those that do not know the row's own answer. */
export function featureValues(feature: TableFeature, { table, rows }: SomeRows, targets?: ColumnTargets): Float32Array {
  const column = valuesOf(table, feature.column);
  return targets !== undefined && feature.trainingValues !== undefined
    ? feature.trainingValues(column, rows, targets)
    : feature.values(column, rows);
}

/** Reads fitted columns from storage. */
export function readFittedColumns(state: Record<string, unknown>): FittedColumn[] {
  const { columns } = state;
  if (Array.isArray(columns) && columns.every(isFittedColumn)) return columns;
  throw unfit('columns', 'a list of fitted columns');
}

const isFittedColumn = (value: unknown): value is FittedColumn =>
  typeof value === 'object' &&
  value !== null &&
  'name' in value &&
  typeof value.name === 'string' &&
  'kind' in value &&
  typeof value.kind === 'string' &&
  'state' in value &&
  typeof value.state === 'object';
