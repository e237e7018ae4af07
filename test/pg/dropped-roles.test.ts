import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeDroppedRoles } from '../../src/db/statements/studies.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews, insertStudy, studyEnd } from '../support/studies.ts';

/** Roles that are gone: a dump says their numbers, which may be those of other roles where it is restored. */
let database: TestDatabase;
let db: TestDatabase['db'];
const gone = 'leaver_of_rafiki';
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  await db.query(`create role ${gone}`);
});
afterEach(async () => {
  await db.query(`drop role if exists ${gone}`);
  await database.drop();
});

const addModel = (name: string, owner: string): Promise<unknown> =>
  db.query(`insert into rafiki.model (name, task, owner) values ($1, 'sentiment', $2::regrole)`, [name, owner]);
const grant = (model: string, role: string): Promise<unknown> =>
  db.query(
    `insert into rafiki.model_grant (model_id, role, owner) select id, $2::regrole, owner from rafiki.model where name = $1`,
    [model, role],
  );

/** Every number in place of a role, as a dump would have it. */
async function numbers(): Promise<unknown[]> {
  return db.query(`
    select 'model' as what, owner::text as number from rafiki.model where owner::text ~ '^[0-9]+$'
    union all select 'study', owner::text from rafiki.study where owner::text ~ '^[0-9]+$'
    union all select 'grant', role::text from rafiki.model_grant where role::text ~ '^[0-9]+$'
    union all select 'granted by', owner::text from rafiki.model_grant where owner::text ~ '^[0-9]+$'`);
}

async function leave(): Promise<void> {
  await createReviews(db, 10);
  await db.query(`grant select on reviews to ${gone}`);
  await addModel('his', gone);
  await grant('his', 'pg_monitor');
  await addModel('hers', 'pg_monitor');
  await grant('hers', gone);
  const study = await insertStudy(db, { owner: gone, model: 'in training' });
  await db.query(
    `insert into rafiki.trial (study_id, number, family, knobs, seed, state) values ($1, 1, 'fasttext', '{}', 1, 'waiting')`,
    [study],
  );
  await db.query(`drop owned by ${gone}`);
  await db.query(`drop role ${gone}`);
}

test('their models go to rafiki_owner, grants to them are deleted, and their studies end with the reason', async () => {
  await leave();
  expect(await numbers()).toHaveLength(4);
  const keys = 'select owner_key from rafiki.model_key k join rafiki.model m on m.id = k.model_id order by m.name';
  const before = await db.query<{ owner_key: string }>(keys);
  expect(await removeDroppedRoles(database.service)).toBe(3);
  expect(await numbers()).toEqual([]);
  expect(await removeDroppedRoles(database.service)).toBe(0);
  expect(await db.query('select name, owner::text from rafiki.model order by name')).toEqual([
    { name: 'hers', owner: 'pg_monitor' },
    { name: 'his', owner: 'rafiki_owner' },
  ]);
  const after = await db.query<{ owner_key: string }>(keys);
  expect([after[0]!.owner_key === before[0]!.owner_key, after[1]!.owner_key === before[1]!.owner_key]).toEqual([
    true,
    false,
  ]);
  expect(await db.query('select role::text, owner::text from rafiki.model_grant')).toEqual([
    { role: 'pg_monitor', owner: 'rafiki_owner' },
  ]);
  const [study] = await db.query<{ id: number }>('select id from rafiki.study');
  expect(await studyEnd(db, study!.id)).toMatchObject({
    state: 'failed',
    error: { sqlstate: '42704', message: 'the role that owned the study was dropped' },
  });
  expect(await db.query('select state from rafiki.trial')).toEqual([{ state: 'cancelled' }]);
});

test('in a restored database this happens before the first answer', async () => {
  await db.query(`select rafiki._keep_secret('one')`);
  await leave();
  await db.query(`select rafiki._keep_secret('two')`);
  expect(await numbers()).toHaveLength(4);
  await db.query(`update rafiki.bridge set home = 'another database'`);
  await db.query(`select rafiki._keep_secret('two')`);
  expect(await numbers()).toEqual([]);
});

test('a model can be given to a role of which the owner is a member, and by a superuser to any', async () => {
  const alice = await database.as('alice');
  const bob = await database.as('bob');
  const [a, b] = await Promise.all(
    [alice, bob].map(
      async (each) => (await each.query<{ name: string }>('select current_user::text as name'))[0]!.name,
    ),
  );
  await addModel('m', a!);
  const give = `select rafiki_set_owner('m', $1::regrole)`;
  expect(await failureOf(alice, give, [b])).toMatchObject({ code: '42501', message: `must be able to SET ROLE ${b}` });
  expect(await failureOf(bob, give, [b])).toMatchObject({ code: '42704' });
  // nor by the way of what rafiki_set_owner calls
  const direct = `select rafiki._set_owner((select (key #>> '{}')::uuid from rafiki.model_ownership), $1::regrole)`;
  expect(await failureOf(alice, direct, [b])).toMatchObject({ code: '42501' });
  await alice.query(`select rafiki_grant('m', $1::regrole)`, [b]);
  expect(await failureOf(bob, give, [b])).toMatchObject({ code: '42501', message: 'must be owner of model "m"' });
  await db.query(give, [b]);
  expect(await db.query('select owner::text from rafiki.model')).toEqual([{ owner: b }]);
  expect(await failureOf(alice, give, [a])).toMatchObject({ code: '42704' });
  await db.query(`grant ${a} to ${b}`);
  await bob.query(give, [a]);
  expect(await db.query('select owner::text from rafiki.model')).toEqual([{ owner: a }]);
  await createReviews(db, 10);
  await insertStudy(db, { model: 'm' });
  expect(await failureOf(bob, give, [b])).toMatchObject({ code: '55006' });
  await db.query(`revoke ${a} from ${b}`);
});
