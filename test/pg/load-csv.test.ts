import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCsv, quoted } from '../../src/cli/terminal/load-csv.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

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
