import type { Queryable } from '../../db/database.ts';
import { quoted } from '../../db/quoted.ts';
import type { CsvColumn } from './csv-file.ts';

const ROWS_PER_INSERT = 1_000;

export interface LoadedCsv {
  /** The table's name as SQL; in pg_temp it is gone with the session. */
  table: string;
  /** The name of a column that numbers the lines. */
  line: string;
  columns: readonly CsvColumn[];
}

/** Creates a table with the columns of a file. */
export async function loadCsv(on: Queryable, { table, line, columns }: LoadedCsv): Promise<void> {
  const definitions = columns.map(({ name, type }) => `${quoted(name)} ${type}`);
  await on.query(`create table ${table} (${quoted(line)} int primary key, ${definitions.join(', ')})`);
  const names = [line, ...columns.map(({ name }) => name)].map(quoted).join(', ');
  const values = columns.map(({ type }, i) => `c${i}::${type}`).join(', ');
  const arrays = columns.map((_, i) => `pg_catalog.unnest($${i + 2}::text[])`).join(', ');
  const aliases = columns.map((_, i) => `c${i}`).join(', ');
  const rows = columns[0]?.values.length ?? 0;
  for (let from = 0; from < rows; from += ROWS_PER_INSERT) {
    await on.query(
      `insert into ${table} (${names}) select $1 + n, ${values} from rows from (${arrays}) with ordinality as t (${aliases}, n)`,
      [from, ...columns.map((column) => column.values.slice(from, from + ROWS_PER_INSERT))],
    );
  }
}
