import { afterEach, beforeEach, expect, test } from 'vitest';
import { install } from '../../src/cli/install/install.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase('template0');
});
afterEach(() => database.drop());

test('of concurrent installations one installs, and the others find it installed', async () => {
  const sessions = [1, 2, 3].map(
    () =>
      new Database({ url: database.url, application: 'test', maxConnections: 1, asUser: true, logger: silentLogger }),
  );
  try {
    const done = (await Promise.all(sessions.map(install))).sort();
    expect(done.filter((each) => each === 'unchanged')).toHaveLength(2);
  } finally {
    await Promise.all(sessions.map((each) => each.stop()));
  }
});

test('a database in another encoding is refused with a hint', async () => {
  const name = `${new URL(database.url).pathname.slice(1)}_latin1`;
  await database.db.query(`create database ${name} encoding 'LATIN1' template template0 locale 'C'`);
  const url = new URL(database.url);
  url.pathname = name;
  const latin1 = new Database({ url: url.href, application: 'test', asUser: true, logger: silentLogger });
  try {
    await expect(install(latin1)).rejects.toMatchObject({
      message: 'rafiki needs a database in UTF8',
      hint: expect.stringContaining(`encoding 'UTF8'`),
    });
  } finally {
    await latin1.stop();
    await database.db.query(`drop database ${name} with (force)`);
  }
});
