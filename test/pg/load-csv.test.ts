import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCsv } from '../../src/cli/terminal/load-csv.ts';
import { quoted } from '../../src/db/quoted.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('functions of others in the search path are not called', async () => {
  const { db } = database;
  await db.query(`create schema trap`);
  await db.query(
    `create function trap.unnest(text[]) returns setof text language plpgsql as $$ begin raise exception 'captured'; end $$`,
  );
  const session = await db.connect(() => undefined);
  await session.query('set search_path = trap, public, pg_catalog');
  const columns = [{ name: 'text', type: 'text', values: ['one', 'two'] }];
  await loadCsv(session, { table: 'public.trapped', line: 'line', columns });
  expect(await session.query('select text from public.trapped order by line')).toEqual([
    { text: 'one' },
    { text: 'two' },
  ]);
  await session.close();
});

test('a file becomes a table, whatever its name and those of its columns are', async () => {
  const { db } = database;
  const table = quoted('a table "b"');
  const columns = [
    { name: 'select "x"', type: 'bigint', values: Array.from({ length: 2500 }, (_, i) => `${i}`) },
    { name: 'text', type: 'text', values: Array.from({ length: 2500 }, (_, i) => (i === 7 ? null : `it's {${i}}`)) },
  ];
  await loadCsv(db, { table, line: 'line', columns });
  const [row] = await db.query(
    `select count(*)::int as rows, max(line) as last, sum("select ""x""")::int as sum, count(text)::int as texts,
       max(text) filter (where line = 1) as first from ${table}`,
  );
  expect(row).toEqual({ rows: 2500, last: 2500, sum: (2499 * 2500) / 2, texts: 2499, first: "it's {0}" });
});
