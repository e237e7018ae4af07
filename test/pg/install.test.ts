import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('the schema is there and its studies are empty', async () => {
  expect(await database.db.query('select count(*) as n from rafiki.study')).toEqual([{ n: 0 }]);
});
