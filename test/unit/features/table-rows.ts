import { type InputColumn, TableRow } from '../../../src/domain/table.ts';
import { TableBuilder } from '../../../src/features/columns/table-builder.ts';

/** Rows of a table of these columns, from JSON objects. */
export function tableRows(columns: readonly InputColumn[], rows: readonly string[]): TableRow[] {
  const builder = new TableBuilder(columns);
  for (const row of rows) builder.add(row);
  const table = { ...builder.take(), hashes: BigInt64Array.from(rows, (_, row) => BigInt(row)) };
  return rows.map((_, row) => new TableRow(table, row));
}
