import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Connection } from '../../src/db/database.ts';
import { DEFAULT_BUDGET_MS } from '../../src/serving/served-model.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { ScriptedBridge } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews } from '../support/studies.ts';

let database: TestDatabase;
let bridge: ScriptedBridge;
let session: Connection;
let notices: string[];

beforeEach(async () => {
  database = await createTestDatabase();
  bridge = new ScriptedBridge();
  await bridge.listen({ announceTo: database.db });
  await database.db.query(
    `insert into rafiki.model (name, task, owner) values ('m', 'sentiment', current_user::regrole)`,
  );
  session = await database.db.connect(() => undefined);
  notices = [];
  session.onNotice((notice) => notices.push(notice));
});
afterEach(async () => {
  await session.close();
  await database.drop();
  await bridge.stop();
});

test('rafiki.settings shows the current values, set or not', async () => {
  const value = `select value from rafiki.settings where name = 'rafiki.latency_budget'`;
  expect(await session.query(value)).toEqual([{ value: `${DEFAULT_BUDGET_MS}ms` }]);
  await session.query(`set rafiki.latency_budget = '80ms'`);
  expect(await session.query(value)).toEqual([{ value: '80ms' }]);
  await session.query('reset rafiki.latency_budget');
  expect(await session.query(value)).toEqual([{ value: '50ms' }]);
});

test('a misspelt setting causes a warning at the first prediction, and when a study begins', async () => {
  await session.query(`set rafiki.latency_budgt = '1s'; set rafiki.raed_ahead = off; set rafiki.gpu = off`);
  await session.query(`select rafiki_predict('m', 'x'), rafiki_predict('m', 'y')`);
  expect(notices.sort()).toEqual(['there is no setting rafiki.latency_budgt', 'there is no setting rafiki.raed_ahead']);
  notices.length = 0;
  await createReviews(database.db, 20);
  await session.query(`reset all; set rafiki.delte = 0.1; set rafiki.terminatior = off`);
  await session.query(`select rafiki_train('sentiment', 'reviews')`);
  expect(notices.sort()).toEqual(['there is no setting rafiki.delte', 'there is no setting rafiki.terminatior']);
});

test('any unknown setting of the database causes a warning', async () => {
  const name = new URL(database.url).pathname.slice(1);
  await database.db.query(`alter database ${name} set rafiki.overdue = 'error'`);
  expect(await session.query('select * from rafiki._misspelt(false)')).toEqual([
    { name: 'rafiki.overdue', meant: 'rafiki.on_overdue' },
  ]);
});

test.each([
  'rafiki_attach(null, null, null, null)',
  `rafiki_attach('m', 'pg_class', 'relname', null)`,
  `rafiki_detach(null, 'x')`,
  'rafiki_deploy(null::bigint)',
  `rafiki_deploy('m', null)`,
  'rafiki_undeploy(null)',
  'rafiki_rollback(null)',
  'rafiki_drop_model(null)',
  `rafiki_drop_version('m', null)`,
  'rafiki_drop_study(null)',
  `rafiki_grant('m', null)`,
  `rafiki_revoke('m', null)`,
  `rafiki_set_owner('m', null)`,
  'rafiki_cancel(null)',
])('what changes something refuses a null: %s', async (call) => {
  expect(await failureOf(session, `select ${call}`)).toMatchObject({
    code: '22004',
    detail: 'Nothing was changed.',
    hint: expect.stringContaining('no row'),
  });
});

test('with several candidates, rafiki_evaluate names its own argument', async () => {
  await session.query('create table words (label text, word text, other text)');
  expect(await failureOf(session, `select rafiki_evaluate('m', 'words', target => 'label')`)).toMatchObject({
    hint: expect.stringMatching(/feature => '/),
  });
});
