import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { loadMails } from '../support/rafiki-up.ts';
import { examplesOf, runExample } from '../support/readme.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';

/** The first hour on each version of PostgreSQL; test/e2e runs the same as `rafiki up` has it. */
const noPsql = !existsSync('/usr/bin/psql');
if (noPsql) console.log('psql is not on this machine: the README is not run');

let database: TestDatabase;
let processes: RunningProcesses | undefined;
beforeAll(async () => {
  database = await createTestDatabase();
  await loadMails(database.db, 'mails', 2000);
  processes = await startProcesses(database.service);
});
afterAll(async () => {
  await processes?.stop();
  await database.drop();
});

test.skipIf(noPsql).each(examplesOf('Three ways to use it'))(
  '$language: $code',
  { timeout: 300_000 },
  async (example) => {
    expect(await runExample(example, database.url)).toBe(example.printed.trimEnd());
  },
);
