import type { InputColumn } from '../../domain/table.ts';
import { firstRows, type Table, TableRow } from '../../domain/table.ts';
import type { RawInput } from '../../domain/task.ts';
import { BadData } from '../../errors/errors.ts';
import { type ColumnTargets, columnTargets, type Truth } from './column-targets.ts';
import { TableBuilder } from './table-builder.ts';

/** Rows of a table, by their numbers in it. */
export interface SomeRows {
  table: Pick<Table, 'columns'>;
  rows: Int32Array;
}

/** The rows of a data set's inputs, which are rows of one table. Throws {@link BadData} for other inputs. */
export function trainingRowsOf(inputs: readonly RawInput[]): SomeRows {
  const [first] = inputs;
  if (!(first instanceof TableRow)) throw noRows();
  const { table } = first;
  return { table, rows: Int32Array.from(inputs, (input) => numberIn(table, input)) };
}

/** With what is learnt of each row, if columns can learn it. */
export interface LearntRows extends SomeRows {
  targets?: ColumnTargets;
}

/** The same with what is learnt of each. */
export function learntRowsOf(inputs: readonly RawInput[], truth: Truth | undefined): LearntRows {
  const [first] = inputs;
  if (!(first instanceof TableRow)) throw noRows();
  const { rows } = trainingRowsOf(inputs);
  const targets = truth && columnTargets(first.table, rows, truth);
  return { table: first.table, rows, ...(targets && { targets }) };
}

/** The rows of a data set's inputs, or of a server's, which are JSON objects of these columns. Throws {@link BadData}. */
export function rowsOf(inputs: readonly RawInput[], columns: readonly InputColumn[]): SomeRows {
  if (inputs[0] instanceof TableRow) return trainingRowsOf(inputs);
  const builder = new TableBuilder(columns);
  for (const input of inputs) {
    if (typeof input !== 'string') throw noRows();
    builder.add(input);
  }
  return { table: builder.take(), rows: firstRows(inputs.length) };
}

function numberIn(table: Table, input: RawInput): number {
  if (input instanceof TableRow && input.table === table) return input.row;
  throw noRows();
}

const noRows = (): BadData =>
  new BadData('the model reads columns, but the input is something else', {
    hint: 'Give a row, or a JSON object of its columns.',
  });
