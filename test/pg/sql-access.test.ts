import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { setIncumbent } from '../../src/db/statements/studies.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';
import { failureOf, type SqlFailure } from '../support/sql-failure.ts';
import { createReviews } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
let alice: Database;
let mallory: Database;
let aliceName: string;
let malloryName: string;

const nameOf = async (session: Database): Promise<string> =>
  (await session.query<{ name: string }>('select current_user::text as name'))[0]?.name ?? '';

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  alice = await database.as('alice');
  mallory = await database.as('mallory');
  [aliceName, malloryName] = [await nameOf(alice), await nameOf(mallory)];
  await createReviews(db, 20);
  await db.query(`grant select on reviews to ${aliceName}`);
});
afterAll(() => database.drop());

let studyId: number;
beforeEach(async () => {
  await db.query('delete from rafiki.model');
  await db.query('delete from rafiki.study');
  const [study] = await alice.query<{ id: number }>(
    `select rafiki_train('sentiment', 'reviews', model => 'hers') as id`,
  );
  studyId = study!.id;
});

/** What a coordinator leaves behind: version 1 of the study's model, ready to answer. */
async function completeStudy(): Promise<void> {
  await db.query(`
    with study as (update rafiki.study set state = 'completed', version = 1, ended_at = now() returning *),
    model as (insert into rafiki.model (name, owner, task) select model, owner, task from study returning id),
    version as (insert into rafiki.model_version (model_id, version, study_id, score, classes)
                select model.id, 1, study.id, 0.9, '{neg,pos}' from model, study returning id, model_id)
    insert into rafiki.deployment (model_id, version_id, state) select model_id, id, 'ready' from version`);
}

const tables = ['study', 'trial', 'report', 'model', 'model_grant', 'model_version', 'model_member', 'deployment'];

describe('another role', () => {
  test('sees nothing of a study, and cannot cancel or wait for it', async () => {
    for (const table of tables) expect(await mallory.query(`select from rafiki.${table}`), table).toEqual([]);
    expect(await failureOf(mallory, `select rafiki_cancel(${studyId})`)).toMatchObject({ code: '42704' });
    expect(await failureOf(mallory, `select rafiki_wait(${studyId})`)).toMatchObject({ code: '42704' });
    const update = 'update rafiki.study set cancel_requested = true';
    expect((await failureOf(mallory, update)).code).toBe('42501');
    expect(await db.query('select cancel_requested from rafiki.study')).toEqual([{ cancel_requested: false }]);
  });

  test('can neither use, deploy, roll back, grant nor drop a model', async () => {
    await completeStudy();
    for (const table of tables) expect(await mallory.query(`select from rafiki.${table}`), table).toEqual([]);
    const calls = [
      `rafiki_predict('hers', 'x')`,
      `rafiki_predict('hers', array['x'])`,
      `rafiki_predict_detail('hers', 'x')`,
      `rafiki_deploy('hers', 1)`,
      `rafiki_deploy(${studyId})`,
      `rafiki_undeploy('hers')`,
      `rafiki_rollback('hers')`,
      `rafiki_drop_model('hers')`,
      `rafiki_drop_version('hers', 1)`,
      `rafiki_drop_study(${studyId})`,
      `rafiki_grant('hers', '${malloryName}')`,
      `rafiki_revoke('hers', '${aliceName}')`,
    ];
    for (const call of calls) {
      expect((await failureOf(mallory, `select ${call}`)).code, call).toBe('42704');
    }
    expect((await failureOf(mallory, 'delete from rafiki.model')).code).toBe('42501');
    expect((await failureOf(mallory, `update rafiki.deployment set state = 'retired'`)).code).toBe('42501');
    expect(await alice.query('select state from rafiki.deployment')).toEqual([{ state: 'ready' }]);
  });

  test('cannot take the name of a model or of a study, seen or not', async () => {
    await db.query(`grant select on reviews to ${malloryName}`);
    const train = `select rafiki_train('sentiment', 'reviews', model => 'hers')`;
    expect(await failureOf(mallory, train)).toMatchObject({ code: '42710', hint: expect.stringContaining('another') });
    await completeStudy();
    expect(await failureOf(mallory, train)).toMatchObject({ code: '42710' });
    await db.query(`revoke select on reviews from ${malloryName}`);
  });

  test('cannot take the name of a model that was created after its transaction began', async () => {
    await db.query(`grant select on reviews to ${malloryName}`);
    const train = `select rafiki_train('sentiment', 'reviews', model => 'hers')`;
    /** Trains in a transaction that looked before `meanwhile`. */
    const trainLate = (level: string, meanwhile: () => Promise<unknown>): Promise<SqlFailure> =>
      mallory.transaction(async (tx) => {
        await tx.query(`set transaction isolation level ${level}`);
        await tx.query('select count(*) from rafiki.model');
        await meanwhile();
        return failureOf(tx, train);
      });
    await db.query('delete from rafiki.study');
    for (const level of ['repeatable read', 'serializable']) {
      const failure = await trainLate(level, async () => {
        await alice.query(train);
        await completeStudy();
      });
      expect(failure, level).toMatchObject({ code: '40001', hint: 'Begin the transaction again.' });
      await db.query('delete from rafiki.model');
      expect(await trainLate(level, () => alice.query(train)), level).toMatchObject({ code: '40001' });
      await db.query('delete from rafiki.study');
    }
    // nor that of one which was hers then
    await alice.query(train);
    await completeStudy();
    await db.query(`update rafiki.model set owner = '${malloryName}'`);
    const given = await trainLate('repeatable read', () => db.query(`update rafiki.model set owner = '${aliceName}'`));
    expect(given).toMatchObject({ code: '40001' });
    expect(await db.query('select from rafiki.study where ended_at is null')).toEqual([]);
    expect(await db.query('select name from rafiki.model')).toEqual([{ name: 'hers' }]);
    await db.query(`revoke select on reviews from ${malloryName}`);
  });

  test("cannot measure another role's model by a study with its name", async () => {
    await completeStudy();
    const incumbent = async (): Promise<number | null | undefined> => {
      await setIncumbent(database.service, studyId);
      return (await db.query<{ id: number | null }>('select incumbent_id as id from rafiki.study'))[0]?.id;
    };
    expect(await incumbent()).not.toBeNull();
    await db.query(`update rafiki.study set owner = '${malloryName}'`);
    expect(await incumbent()).toBeNull();
  });

  test("cannot write rows in another role's name, nor those that only our processes write", async () => {
    await completeStudy();
    const columns = '(task, source, model, target, features, max_trials, max_time, validation, seed';
    const values = `('sentiment', 'pg_class', 'm', 'label', '{body}', 1, '1 min', 0.2, 1`;
    const attempts = [
      `insert into rafiki.study ${columns}, owner) values ${values}, '${aliceName}')`,
      `insert into rafiki.study ${columns}, state) values ${values}, 'completed')`,
      `insert into rafiki.trial (study_id, number, family, knobs, seed) values (${studyId}, 1, 'f', '{}', 1)`,
      `insert into rafiki.model (name, task) values ('m', 'sentiment')`,
      `insert into rafiki.deployment (model_id, version_id) select id, id from generate_series(1, 9) id`,
      `insert into rafiki.model_grant (model_id, role, owner) select id, '${malloryName}', '${aliceName}' from generate_series(1, 9) id`,
      `update rafiki.model set owner = '${malloryName}'`,
      `select from rafiki.params`,
      `select from rafiki.params_tensor`,
      `select from rafiki.blob`,
      `select from rafiki.predict_stat`,
      `insert into rafiki.blob values ('\\x00', '')`,
      `delete from rafiki.params_tensor`,
      `select * from rafiki.bridge`,
      `select rafiki._connect_bridge('evil', 1, 'x')`,
      `select rafiki._disconnect_bridge('127.0.0.1', 1)`,
      `select * from rafiki.bridge_address`,
      `select rafiki._exchange('S', false)`,
      `select rafiki_dblink.dblink_connect('rafiki', 'host=evil')`,
    ];
    for (const attempt of attempts) expect((await failureOf(mallory, attempt)).code, attempt).toBe('42501');
  });
});

test("a grant in the name of the model's owner is refused to others, and so is one in their own name", async () => {
  await completeStudy();
  const [model] = await db.query<{ id: number }>('select id from rafiki.model');
  const insert = (owner: string): string =>
    `insert into rafiki.model_grant (model_id, role, owner) values (${model?.id}, '${malloryName}', '${owner}')`;
  expect((await failureOf(mallory, insert(aliceName))).code).toBe('42501');
  expect((await failureOf(mallory, insert(malloryName))).code).toBe('42501');
});

describe('a source', () => {
  test('needs SELECT', async () => {
    const failure = await failureOf(mallory, `select rafiki_train('sentiment', 'reviews')`);
    expect(failure).toMatchObject({ code: '42501', hint: expect.stringContaining(`to ${malloryName}`) });
  });

  test('is accepted with SELECT on its columns; other columns are no candidates', async () => {
    await db.query(`grant select (label, body) on reviews to ${malloryName}`);
    await mallory.query(`select rafiki_train('sentiment', 'reviews')`);
    const failure = await failureOf(
      mallory,
      `select rafiki_train('sentiment', 'reviews', model => 'm', target => 'id')`,
    );
    expect(failure).toMatchObject({ code: '42501', message: expect.stringContaining('column "id"') });
    await db.query(`revoke select (label, body) on reviews from ${malloryName}`);
  });
});

describe('a grant', () => {
  test('lets its role see and use the model only; revoking it changes the key', async () => {
    await completeStudy();
    await alice.query(`select rafiki_grant('hers', '${malloryName}'), rafiki_grant('hers', '${malloryName}')`);
    const [seen] = await mallory.query<{ key: string }>(`select key from rafiki.model_access where name = 'hers'`);
    expect(seen?.key).toHaveLength(36);
    expect(await mallory.query('select model, deployment from rafiki.models')).toEqual([
      { model: 'hers', deployment: 'ready' },
    ]);
    expect(await mallory.query('select from rafiki.study')).toEqual([]);
    // the transport is reached: no server has run for this database
    expect((await failureOf(mallory, `select rafiki_predict('hers', 'x')`)).code).toBe('08006');
    expect(await failureOf(alice, `select rafiki_grant('hers', 3999999999::oid::regrole)`)).toMatchObject({
      code: '42704',
    });
    for (const call of [
      `rafiki_drop_model('hers')`,
      `rafiki_drop_version('hers', 1)`,
      `rafiki_undeploy('hers')`,
      `rafiki_grant('hers', 'postgres')`,
    ]) {
      expect((await failureOf(mallory, `select ${call}`)).code, call).toBe('42501');
    }
    expect(await alice.query(`select rafiki_revoke('hers', '${malloryName}') as done`)).toEqual([{ done: true }]);
    expect(await alice.query(`select rafiki_revoke('hers', '${malloryName}') as done`)).toEqual([{ done: false }]);
    const [now] = await db.query<{ key: string }>(`select key from rafiki.model_access where name = 'hers'`);
    expect(now?.key).not.toBe(seen?.key);
    expect((await failureOf(mallory, `select rafiki_predict('hers', 'x')`)).code).toBe('42704');
  });
});

describe('a member of the owner', () => {
  const seen = `select (select count(*)::int from rafiki.studies) as studies, (select count(*)::int from rafiki.models) as models,
    (select count(*)::int from rafiki.model_ownership) as own, (select count(*)::int from rafiki.study_ownership) as cancel`;
  const nothing = { studies: 0, models: 0, own: 0, cancel: 0 };
  const all = { studies: 1, models: 1, own: 1, cancel: 1 };
  const calls = [
    `rafiki_export('hers')`,
    `rafiki_predict('hers', 'x')`,
    `rafiki_undeploy('hers')`,
    `rafiki_grant('hers', 'postgres')`,
    `rafiki_drop_model('hers')`,
  ];
  afterEach(() => db.query(`revoke ${aliceName} from ${malloryName}; alter role ${malloryName} inherit`));

  test('that neither inherits nor may SET ROLE has no right to its models, as with tables', async () => {
    await completeStudy();
    if (postgresVersion() < 16) return; // there is no such membership
    await db.query(`grant ${aliceName} to ${malloryName} with inherit false, set false`);
    expect((await failureOf(mallory, `set role ${aliceName}`)).code).toBe('42501');
    expect(await mallory.query(seen)).toEqual([nothing]);
    for (const call of calls) expect((await failureOf(mallory, `select ${call}`)).code, call).toBe('42704');
    await db.query(`grant select on reviews to ${malloryName}`);
    const train = `select rafiki_train('sentiment', 'reviews', model => 'hers')`;
    expect(await failureOf(mallory, train)).toMatchObject({ code: '42710' });
    await mallory.query(`select rafiki_train('sentiment', 'reviews', model => 'his')`);
    await db.query(`revoke select on reviews from ${malloryName}`);
    await db.query(`insert into rafiki.model (name, owner, task) values ('his', '${malloryName}', 'sentiment')`);
    await db.query(`update rafiki.study set state = 'cancelled', ended_at = now() where ended_at is null`);
    const give = `select rafiki_set_owner('his', '${aliceName}')`;
    expect(await failureOf(mallory, give)).toMatchObject({
      code: '42501',
      message: `must be able to SET ROLE ${aliceName}`,
    });
    // to be given a model takes SET alone, as with a table
    await db.query(`grant ${aliceName} to ${malloryName} with set true`);
    await mallory.query(give);
  });

  test('that inherits has its rights, and one that does not has them after SET ROLE', async () => {
    await completeStudy();
    await db.query(`grant ${aliceName} to ${malloryName}`);
    expect(await mallory.query(seen)).toEqual([all]);
    const withhold =
      postgresVersion() >= 16
        ? `grant ${aliceName} to ${malloryName} with inherit false`
        : `alter role ${malloryName} noinherit`;
    await db.query(withhold);
    expect(await mallory.query(seen)).toEqual([nothing]);
    await mallory.query(`set role ${aliceName}`);
    expect(await mallory.query(seen)).toEqual([all]);
    await mallory.query('reset role');
  });
});

describe('the owner', () => {
  test('can deploy, roll back, undeploy and drop', async () => {
    await completeStudy();
    await db.query(
      `insert into rafiki.model_version (model_id, version, score, classes) select id, 2, 0.8, '{}' from rafiki.model`,
    );
    expect(await alice.query(`select rafiki_deploy('hers', 2) as version`)).toEqual([{ version: 2 }]);
    expect(await alice.query(`select rafiki_deploy('hers', 2) as version`)).toEqual([{ version: 2 }]);
    await db.query(
      `insert into rafiki.model_version (model_id, version, score, classes) select id, 3, 0.9, '{}' from rafiki.model`,
    );
    await alice.query(`select rafiki_deploy('hers', 3)`); // version 2 makes way, before it has answered
    await db.query(`update rafiki.deployment set state = 'retired', ready_at = now() where state = 'ready'`);
    await db.query(`update rafiki.deployment set state = 'ready', ready_at = now() where state = 'loading'`);
    expect(await alice.query(`select rafiki_rollback('hers') as version`)).toEqual([{ version: 1 }]);
    expect(await alice.query(`select version, state from rafiki.deployments where state <> 'retired'`)).toEqual([
      { version: 1, state: 'loading' },
      { version: 3, state: 'ready' },
    ]);
    await db.query(
      `insert into rafiki.model_version (model_id, version, score, classes) select id, 4, 0.9, '{}' from rafiki.model`,
    );
    await alice.query(`select rafiki_deploy('hers', 4)`); // is not ready yet: version 3 answers, and stays
    expect(await alice.query(`select rafiki_rollback('hers') as version`)).toEqual([{ version: 3 }]);
    expect(await alice.query(`select version, state from rafiki.deployments where state <> 'retired'`)).toEqual([
      { version: 3, state: 'ready' },
    ]);
    expect(await alice.query(`select rafiki_undeploy('hers') as done`)).toEqual([{ done: true }]);
    expect(await alice.query(`select rafiki_undeploy('hers') as done`)).toEqual([{ done: false }]);
    expect(await failureOf(alice, `select rafiki_rollback('hers')`)).toMatchObject({ code: '55000' });
    expect(await failureOf(alice, `select rafiki_deploy('hers', 7)`)).toMatchObject({
      code: '42704',
      hint: 'Its versions: 1, 2, 3, 4.',
    });
    expect(await alice.query(`select rafiki_deploy(${studyId}) as version`)).toEqual([{ version: 1 }]);
    await alice.query(`select rafiki_train('sentiment', 'reviews', model => 'hers')`);
    expect(await failureOf(alice, `select rafiki_drop_model('hers')`)).toMatchObject({ code: '55006' });
    await db.query(`update rafiki.study set state = 'cancelled', ended_at = now() where state = 'queued'`);
    await alice.query(`select rafiki_drop_model('hers')`);
    expect(await db.query('select * from rafiki.model_version')).toEqual([]);
    expect(await failureOf(alice, `select rafiki_deploy(${studyId})`)).toMatchObject({ code: '55000' });
  });

  test('cannot set a deployment to ready', async () => {
    await completeStudy();
    await alice.query(`select rafiki_undeploy('hers'), rafiki_deploy('hers', 1)`);
    const failure = await failureOf(alice, `update rafiki.deployment set state = 'ready' where state = 'loading'`);
    expect(failure.code).toBe('42501');
  });
});
