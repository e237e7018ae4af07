import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { createReviews, eventually, insertStudy, studyEnd } from '../support/studies.ts';

let database: TestDatabase;
let processes: RunningProcesses | undefined;
beforeEach(async () => {
  database = await createTestDatabase();
  processes = undefined;
});
afterEach(async () => {
  await processes?.stop();
  await database.drop();
});

test('while the reader cannot log in, no study fails: it shows why it waits, and continues afterwards', async () => {
  const { db } = database;
  const name = new URL(database.url).pathname.slice(1);
  await db.query(`revoke connect on database ${name} from public`);
  await db.query(`grant connect on database ${name} to rafiki_service`);
  await createReviews(db, 100);
  const study = await insertStudy(db, { families: ['fasttext'], maxTrials: 1 });
  processes = await startProcesses(database.service);
  await eventually(db, `select from rafiki.studies where notice = 'no login as rafiki_reader'`);
  await eventually(db, `select from rafiki.trial where state = 'waiting' and attempt = 0 and error is null`);
  expect(await db.query('select state from rafiki.study')).toEqual([{ state: 'running' }]);
  await db.query(`grant connect on database ${name} to rafiki_reader`);
  expect(await studyEnd(db, study)).toMatchObject({ state: 'completed' });
  expect(await db.query(`select attempt from rafiki.trial`)).toEqual([{ attempt: 0 }]);
  expect(await db.query(`select from rafiki.studies where notice ~ 'login'`)).toEqual([]);
});
