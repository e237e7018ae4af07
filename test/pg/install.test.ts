import { afterAll, beforeAll, expect, test } from 'vitest';
import { installInto } from '../../src/cli/library.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('the schema exists without studies', async () => {
  expect(await database.db.query('select count(*) as n from rafiki.study')).toEqual([{ n: 0 }]);
});

test('a program can install like the command', async () => {
  const empty = await createTestDatabase('template0');
  try {
    const how = postgresVersion() === 18 ? 'as an extension' : 'as a script'; // where the server sees the files
    expect(await installInto(empty.url)).toBe(how);
    expect(await installInto(empty.url)).toBe('unchanged');
  } finally {
    await empty.drop();
  }
});
