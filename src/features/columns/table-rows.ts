import type { InputColumn } from '../../domain/table.ts';
import { type Table, TableRow } from '../../domain/table.ts';
import type { RawInput } from '../../domain/task.ts';
import { BadData } from '../../errors/errors.ts';
import { TableBuilder } from './table-builder.ts';

/** Rows of a table, by their numbers in it. */
export interface SomeRows {
  table: Pick<Table, 'columns'>;
  rows: Int32Array;
}

/** The rows of inputs: of a data set, which are rows of its table already; or of a server, which are JSON objects. Throws BadData. */
export function rowsOf(inputs: readonly RawInput[], columns: readonly InputColumn[]): SomeRows {
  const [first] = inputs;
  if (first instanceof TableRow && inputs.every((input) => input instanceof TableRow && input.table === first.table))
    return { table: first.table, rows: Int32Array.from(inputs, (input) => (input as TableRow).row) };
  if (!inputs.every((input) => typeof input === 'string')) {
    throw new BadData('the model reads columns, but the input is bytes', { hint: 'Give a row, or a JSON object.' });
  }
  const builder = new TableBuilder(columns);
  for (const input of inputs) builder.add(input);
  return { table: builder.take(), rows: Int32Array.from(inputs, (_, row) => row) };
}
