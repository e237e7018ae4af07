import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { extensionDir } from '../../src/cli/install.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const numbers = (): Promise<unknown[]> => database.db.query('select name, value from rafiki.quota');

test('rows of a dump take the place of those that an installation makes', async () => {
  await database.db.query(`insert into rafiki.quota (name, value, title) values ('open_studies', 7, 'x')`);
  expect(await numbers()).toEqual([{ name: 'open_studies', value: 7 }]);
});

test.skipIf(postgresVersion() < 18)('and a dump of the extension has them', async () => {
  const carried = `select from pg_extension where extname = 'rafiki' and 'rafiki.quota'::regclass = any (extconfig)`;
  expect(await database.db.query(carried)).toHaveLength(1);
});

test('an upgrade leaves an administrator’s numbers as they are', async () => {
  await database.db.query('update rafiki.quota set value = 7');
  const { prologue, idempotent } = JSON.parse(readFileSync(path.join(extensionDir, 'parts.json'), 'utf8'));
  await database.db.transaction((tx) => tx.query(prologue + idempotent));
  expect(await numbers()).toEqual([{ name: 'open_studies', value: 7 }]);
});
