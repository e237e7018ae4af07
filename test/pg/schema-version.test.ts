import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkDatabase } from '../../src/cli/commands/services/check-database.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const check = (): Promise<void> => checkDatabase(database.service);

test('a process starts on the database of its version, and on that of a newer one', async () => {
  await check();
  await database.db.query(`insert into rafiki.migration (name) values ('0099-from-the-future')`);
  await check();
});

test('on that of an older one it does not start, and says what to do', async () => {
  await database.db.query('delete from rafiki.migration where name = (select max(name) from rafiki.migration)');
  await expect(check()).rejects.toMatchObject({
    sqlstate: '58000',
    message: expect.stringContaining('older version'),
    detail: expect.stringMatching(/^It lacks \d{4}-[\w-]+\.$/),
    hint: expect.stringContaining('rafiki install'),
  });
  await database.db.query('delete from rafiki.migration where name > $1', ['0002']);
  await expect(check()).rejects.toMatchObject({
    detail: expect.stringMatching(/^It lacks .* and \d+ other changes\.$/),
  });
});
