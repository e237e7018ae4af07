import type { Database } from '../../src/db/database.ts';
import { inputOf, outputOf } from '../../src/domain/task.ts';
import { type DataName, dataSets } from '../zoo/data.ts';

/** Rows of one insert: photographs are large. */
const ROWS = 100;

/** Makes a table of one part of a data set, with typical columns of its task. */
export async function loadTable(db: Database, table: string, name: DataName, part: 'train' | 'valid'): Promise<void> {
  const { task, read } = dataSets[name];
  const truth = outputOf(task) === 'boxes' ? 'jsonb' : 'text';
  const input = inputOf(task) === 'image' ? 'bytea' : 'text';
  await db.query(`create table ${table} (id int generated always as identity, label ${truth}, input ${input})`);
  const rows = read(part);
  for (let from = 0; from < rows.length; from += ROWS) {
    const few = rows.slice(from, from + ROWS);
    const truths = few.map(({ label }) => (typeof label === 'string' ? label : JSON.stringify(label)));
    const inputs = few.map((row) => row.input);
    await db.query(`insert into ${table} (label, input) select * from unnest($1::${truth}[], $2::${input}[])`, [
      truths,
      inputs,
    ]);
  }
}
