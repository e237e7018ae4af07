import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import type { Database } from '../../src/db/database.ts';
import { endExcessStudies } from '../../src/db/statements/studies.ts';
import { insertTrial } from '../../src/db/statements/trials.ts';
import { version } from '../../src/runtime/version.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

const script = readFileSync(path.join(extensionDir, 'extension', `rafiki--${version}.sql`), 'utf8');

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const numbers = (db: Database): Promise<unknown[]> => db.query('select name, value from rafiki.quota order by name');

test('rows of a dump replace those of an installation', async () => {
  await database.db.query(`insert into rafiki.quota (name, value, title) values ('open_studies', 7, 'x')`);
  expect(await numbers(database.db)).toEqual([
    { name: 'attachments', value: 1000 },
    { name: 'kept_versions', value: null },
    { name: 'open_imports', value: 10 },
    { name: 'open_studies', value: 7 },
    { name: 'token_days', value: 366 },
    { name: 'tokens', value: 50 },
  ]);
});

test('studies that sessions queued beyond the limit, before they saw each other, fail, but none that has begun', async () => {
  const { db, service } = database;
  await createReviews(db, 10);
  await db.query(`update rafiki.quota set value = 2 where name = 'open_studies'`);
  const ids: number[] = [];
  for (const model of ['a', 'b', 'c', 'd']) ids.push(await insertStudy(db, { model }));
  await (await database.as('mallory')).query('select 1');
  const [mallory] = await db.query<{ name: string }>(
    `select rolname as name from pg_roles where rolname like 'mallory%'`,
  );
  await insertStudy(db, { model: 'other', owner: mallory!.name });
  const studyId = ids[3]!;
  await insertTrial(db, { studyId, number: 1, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
  await db.query(`update rafiki.trial set state = 'running', started_at = now()`);
  expect(await endExcessStudies(service, { sqlstate: '53400', message: 'too many' })).toBe(2);
  expect(await endExcessStudies(service, { sqlstate: '53400', message: 'too many' })).toBe(0);
  expect(await db.query('select model, state from rafiki.study order by id')).toEqual([
    { model: 'a', state: 'queued' },
    { model: 'b', state: 'failed' },
    { model: 'c', state: 'failed' },
    { model: 'd', state: 'queued' },
    { model: 'other', state: 'queued' },
  ]);
});

test.skipIf(postgresVersion() < 18)('and a dump of the extension has them', async () => {
  const carried = `select from pg_extension where extname = 'rafiki' and 'rafiki.quota'::regclass = any (extconfig)`;
  expect(await database.db.query(carried)).toHaveLength(1);
});

test("an upgrade keeps an administrator's values", async () => {
  const scripted = await createTestDatabase('template0');
  try {
    await upgradeScript(scripted.db);
  } finally {
    await scripted.drop();
  }
});

async function upgradeScript(db: Database): Promise<void> {
  await db.transaction((tx) => tx.query(script));
  await db.query('update rafiki.quota set value = 7');
  const { prologue, idempotent } = JSON.parse(readFileSync(path.join(extensionDir, 'parts.json'), 'utf8'));
  await db.transaction((tx) => tx.query(prologue + idempotent));
  expect(await numbers(db)).toEqual([
    { name: 'attachments', value: 7 },
    { name: 'kept_versions', value: 7 },
    { name: 'open_imports', value: 7 },
    { name: 'open_studies', value: 7 },
    { name: 'token_days', value: 7 },
    { name: 'tokens', value: 7 },
  ]);
}
