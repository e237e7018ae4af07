import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Housekeeping } from '../../src/coordinator/housekeeping.ts';
import type { Database } from '../../src/db/database.ts';
import { insertTrial } from '../../src/db/statements/trials.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
let params: PostgresParamStore;
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  params = new PostgresParamStore({ database: database.service, graceMs: 0 });
  await createReviews(db, 20);
});
afterEach(() => database.drop());

const createModel = (): Promise<unknown> =>
  db.query(`insert into rafiki.model (name, owner, task) values ('m', current_user::regrole, 'sentiment')`);

/** A version with weights of its own, as a study would have left it. */
async function addVersion(study: number | null = null): Promise<number> {
  const sql = `
    insert into rafiki.model_version (model_id, version, study_id, score, classes)
    select m.id, rafiki._next_version(m.id), $1, 0.5, '{neg,pos}' from rafiki.model m returning id, version`;
  const [made] = await db.query<{ id: number; version: number }>(sql, [study]);
  const data = Int32Array.of(made!.version);
  const weights = await params.save('model', { tensors: { a: { dtype: 'int32', shape: [1], data } }, meta: {} });
  await db.query(
    `insert into rafiki.model_member (version_id, rank, family, score, params_id) values ($1, 0, 'fasttext', 0.5, $2)`,
    [made!.id, weights],
  );
  return made!.version;
}

const setDeployment = (version: number, state: string): Promise<unknown> =>
  db.query(
    `insert into rafiki.deployment (model_id, version_id, state)
     select model_id, id, $2 from rafiki.model_version where version = $1`,
    [version, state],
  );

const versions = async (): Promise<number[]> =>
  (await db.query<{ version: number }>('select version from rafiki.models order by version')).map((row) => row.version);

const weights = async (): Promise<number> => {
  await params.collectGarbage();
  return (await db.query('select from rafiki.blob')).length;
};

const ended = async (): Promise<number> => {
  const id = await insertStudy(db);
  await db.query(`update rafiki.study set state = 'completed', ended_at = now(), version = 1 where id = $1`, [id]);
  return id;
};

describe('rafiki_drop_version', () => {
  beforeEach(createModel);

  test('drops a version with its weights, and its number is not given again', async () => {
    for (let n = 0; n < 3; n++) await addVersion();
    await db.query(`select rafiki_drop_version('m', 3)`);
    await db.query(`select rafiki_drop_version('m', 1)`);
    expect([await versions(), await weights()]).toEqual([[2], 1]);
    expect(await addVersion()).toBe(4);
  });

  test('refuses what is not there, or belongs to another role', async () => {
    await addVersion();
    const drop = (on: Database, args: string) => failureOf(on, `select rafiki_drop_version(${args})`);
    expect(await drop(db, `'other', 1`)).toMatchObject({ code: '42704' });
    expect(await drop(db, `'m', 2`)).toMatchObject({ code: '42704', hint: 'Its versions: 1.' });
    expect(await drop(db, `'m', null`)).toMatchObject({ code: '22004' });
    const bob = await database.as('bob');
    const [{ name } = { name: '' }] = await bob.query<{ name: string }>('select current_user::text as name');
    expect(await drop(bob, `'m', 1`)).toMatchObject({ code: '42704' });
    await db.query(`select rafiki_grant('m', $1::regrole)`, [name]);
    expect(await drop(bob, `'m', 1`)).toMatchObject({ code: '42501' });
    expect(await versions()).toEqual([1]);
  });

  test.each([
    ['ready', 'It is deployed.'],
    ['loading', 'It is being loaded.'],
  ])('refuses a version that is %s, until the model is undeployed', async (state, detail) => {
    await addVersion();
    await setDeployment(1, state);
    expect(await failureOf(db, `select rafiki_drop_version('m', 1)`)).toMatchObject({
      ...{ code: '55006', detail, hint: expect.stringContaining('rafiki_undeploy') },
    });
    await db.query(`select rafiki_undeploy('m'), rafiki_drop_version('m', 1)`);
    expect(await versions()).toEqual([]);
  });

  test('refuses a version that an open study starts from', async () => {
    await addVersion();
    const id = await insertStudy(db, { model: 'other' });
    await db.query('update rafiki.study set start_version = (select id from rafiki.model_version)');
    const refused = await failureOf(db, `select rafiki_drop_version('m', 1)`);
    expect(refused).toMatchObject({ code: '55006', detail: `Study ${id} starts from it.` });
    await db.query(`update rafiki.study set state = 'cancelled', ended_at = now()`);
    await db.query(`select rafiki_drop_version('m', 1)`);
    expect(await db.query('select start from rafiki.studies')).toEqual([{ start: null }]);
  });
});

describe('rafiki_drop_study', () => {
  test("refuses studies that are open, another role's, or not there", async () => {
    const id = await insertStudy(db);
    const drop = (on: Database, study: unknown) => failureOf(on, `select rafiki_drop_study(${study})`);
    expect(await drop(db, id)).toMatchObject({ code: '55006', hint: expect.stringContaining(`rafiki_cancel(${id})`) });
    expect(await drop(await database.as('bob'), id)).toMatchObject({ code: '42704' });
    expect(await drop(db, 4711)).toMatchObject({ code: '42704' });
    expect(await drop(db, 'null')).toMatchObject({ code: '22004' });
  });

  test('leaves its version, which can be deployed as long as its model has the same task', async () => {
    await createModel();
    const id = await ended();
    await insertTrial(db, { studyId: id, number: 1, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
    await addVersion(id);
    await db.query('update rafiki.model_member set trial_id = (select id from rafiki.trial)');
    const seen = (): Promise<unknown[]> => db.query('select * from rafiki.models');
    const before = await seen();
    await db.query('select rafiki_drop_study($1)', [id]);
    expect(await db.query('select from rafiki.study union all select from rafiki.trial')).toEqual([]);
    expect([await seen(), await weights()]).toEqual([before, 1]);
    await db.query(`select rafiki_deploy('m', 1), rafiki_undeploy('m')`);
    await db.query(`update rafiki.model set task = 'text_classification'`);
    expect(await failureOf(db, `select rafiki_deploy('m', 1)`)).toMatchObject({
      ...{ code: '55000', detail: expect.stringContaining('It is for sentiment') },
    });
  });
});

describe('the quota kept_versions', () => {
  const hours = async (): Promise<void> => {
    const connection = await database.service.connect(() => undefined);
    const clock = new ManualClock();
    const housekeeping = new Housekeeping({ connection, params, clock, logger });
    clock.advance(3_600_000);
    await housekeeping.run();
    await housekeeping.stop();
    await connection.close();
  };

  test('keeps the newest versions of each model, and those that are needed', async () => {
    await createModel();
    for (let n = 0; n < 6; n++) await addVersion();
    await setDeployment(2, 'ready');
    await hours();
    expect(await versions()).toEqual([1, 2, 3, 4, 5, 6]);
    await db.query(`update rafiki.quota set value = 2 where name = 'kept_versions'`);
    await hours();
    expect([await versions(), await weights()]).toEqual([[2, 5, 6], 3]);
    await db.query(`update rafiki.quota set value = 0 where name = 'kept_versions'`);
    await hours();
    expect(await versions()).toEqual([2, 6]);
  });
});
