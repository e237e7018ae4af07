import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { createCustomers } from '../support/customers.ts';
import { noticesOf } from '../support/notices.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { failureOf } from '../support/sql-failure.ts';

/** Further forms of answers for rows, and what is said where they cannot be given. */
let database: TestDatabase;
let db: Database;
let processes: RunningProcesses;
/** Of the CALL that trained numbers. */
let told: string[];

const classes = 'customers_tabular_classification';
const numbers = 'customers_tabular_regression';
const few = `families => '{linear}', max_trials => 1, max_time => '2 min', seed => 3, knobs => '{"epochs": 10, "learning_rate": 0.05}'`;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createCustomers(db);
  processes = await startProcesses(database.service);
  await db.query(`call rafiki_train_wait('tabular_classification', 'customers', target => 'buys', ${few})`);
  told = await noticesOf(
    db,
    `call rafiki_train_wait('tabular_regression', 'public.customers', target => 'spends', features => '{age,city}', ${few})`,
  );
  await db.query(`set rafiki.latency_budget = '20 s'`);
}, 300_000);
afterAll(async () => {
  await processes.stop();
  await database.drop();
});

const answer = async (sql: string): Promise<unknown> => (await db.query<{ v: unknown }>(`select ${sql} as v`))[0]?.v;
const fortieth = `(select c from customers c where c.id = 40)`;
/** Nothing is known of: no class is certain. */
const nobody = `(select jsonb_object_agg(e.key, null::text) from customers c, jsonb_each(to_jsonb(c)) e where c.id = 40)`;

describe('a row', () => {
  test('has a label that is NULL, or another word, if it is not probable enough', async () => {
    const label = await answer(`rafiki_predict('${classes}', ${fortieth})`);
    expect(await answer(`rafiki_predict('${classes}', ${fortieth}, threshold => 0)`)).toBe(label);
    expect(await answer(`rafiki_predict('${classes}', ${nobody}, threshold => 1)`)).toBeNull();
    expect(await answer(`rafiki_predict('${classes}', ${nobody}, threshold => 1, otherwise => 'unsure')`)).toBe(
      'unsure',
    );
    expect(await answer(`rafiki_predict('${classes}', null::customers, threshold => 0)`)).toBeNull();
    expect(await answer(`rafiki_predict('${classes}', ${fortieth}, '10 s')`)).toBe(label);
  });

  test('has its most probable classes as rows', async () => {
    const rows = await db.query<{ rank: number; label: string; probability: number }>(
      `select t.* from customers c, rafiki_predict_top('${classes}', c, 2) t where c.id = 40`,
    );
    expect(rows.map(({ rank }) => rank)).toEqual([1, 2]);
    expect(rows[0]?.label).toBe(await answer(`rafiki_predict('${classes}', ${fortieth})`));
    expect((rows[0]?.probability ?? 0) + (rows[1]?.probability ?? 0)).toBeCloseTo(1, 3);
    expect(await db.query(`select * from rafiki_predict_top('${classes}', null::customers)`)).toEqual([]);
  });

  test('without any column is an object, not a list', async () => {
    for (const call of ['rafiki_predict', 'rafiki_predict_detail', 'rafiki_probabilities', 'rafiki_predict_top'])
      expect(await failureOf(db, `select ${call}('${classes}', '{}')`)).toMatchObject({
        code: '22000',
        message: 'the input has no column "age"',
      });
    expect(await failureOf(db, `select rafiki_predict_number('${numbers}', '{}')`)).toMatchObject({ code: '22000' });
  });

  test('is many rows as texts, too', async () => {
    const many = `select rafiki_predict_many('${classes}', array_agg(to_json(c)::text order by id)) as v from customers c`;
    const single = `select array_agg(rafiki_predict('${classes}', c) order by id) as v from customers c`;
    expect(await db.query(many)).toEqual(await db.query(single));
  });
});

test('no model is an error in every form', async () => {
  for (const call of [
    `rafiki_predict(null, 'x')`,
    `rafiki_predict(null, ${fortieth})`,
    `rafiki_predict(null, array['x'])`,
    `rafiki_predict(null, 'x', threshold => 0.5)`,
    `rafiki_predict(null, '\\x00'::bytea)`,
    `rafiki_predict_many(null, '{x}')`,
    `rafiki_predict_number(null, 'x')`,
    `rafiki_predict_rows(null, array['{}'::jsonb])`,
    `rafiki_predict_detail(null, 'x')`,
    `rafiki_probabilities(null, 'x')`,
    `rafiki_predict_top(null, 'x')`,
    `rafiki_detect(null, '\\x00')`,
  ])
    expect(await failureOf(db, `select ${call}`), call).toMatchObject({
      code: '22004',
      message: 'model must not be null',
      hint: expect.any(String),
    });
});

test('rights that were revoked in a transaction are known to servers after it', async () => {
  await database.as('owner'); // makes the role
  const session = await db.connect(() => undefined);
  const role = `(select rolname::text from pg_roles where rolname = 'owner_' || current_database())::regrole`;
  await session.query(`set rafiki.latency_budget = '20 s'; select rafiki_grant('${classes}', ${role})`);
  await session.query(`begin; select rafiki_revoke('${classes}', ${role})`);
  expect(await failureOf(session, `select rafiki_predict('${classes}', ${fortieth})`)).toMatchObject({
    code: '55000',
    message: expect.stringContaining('what this transaction has changed'),
    hint: expect.stringContaining('Commit first'),
  });
  await session.query('rollback');
  await session.close();
});

describe('numbers', () => {
  test('are told before training: how many, and how far their mean is off', () => {
    expect(told).toContainEqual(expect.stringMatching(/^rows: 400 used/));
    expect(told).toContainEqual('numbers: 50 different, from 1000000 to 1000490, median 1000240');
    expect(told).toContainEqual(expect.stringMatching(/^scores: 1000245 every time would have an RMSE of 144\.3/));
  });

  test('are written by rafiki_predict_all into a column of numbers', async () => {
    const expected = await db.query(
      `select id, rafiki_predict_number('${numbers}', c) as prediction from customers c order by id`,
    );
    await db.query(`call rafiki_predict_all('${numbers}', 'customers', 'guesses')`);
    expect(await db.query('select id, prediction from guesses order by id')).toEqual(expected);
    await db.query('create table rough (id int primary key, prediction real)');
    await db.query(`call rafiki_predict_all('${numbers}', 'customers', 'rough')`);
    expect(await db.query('select count(prediction)::int as n from rough')).toEqual([{ n: 400 }]);
    await db.query('create table whole (id int primary key, prediction int)');
    expect(await failureOf(db, `call rafiki_predict_all('${numbers}', 'customers', 'whole')`)).toMatchObject({
      code: '42804',
      message: 'column "prediction" of public.whole cannot hold predictions',
    });
  });

  test('are evaluated with intervals', async () => {
    const rows = await db.query<{ metric: string; value: number; low: number; high: number }>(
      `select * from rafiki_evaluate('${numbers}', 'customers') where metric in ('r2', 'rmse', 'mae')`,
    );
    expect(rows).toHaveLength(3);
    for (const { value, low, high } of rows) {
      expect(low).toBeLessThan(value);
      expect(high).toBeGreaterThan(value);
    }
  });
});

test('intervals of errors are those of many samples', async () => {
  // the share of 400 samples of 100 rows whose interval has the errors of all rows: 0.95 is expected, below 0.9 has a probability of 1e-5
  const [found] = await db.query<Record<'r2' | 'rmse' | 'mae', number>>(`
    with one as (select i, i % 400 as sample, random() * 10 as y, sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) as e
                 from generate_series(1, 40000) i, (select setseed(0.5)) seed),
    truth as (select e.* from (select array_agg(y) as a, array_agg(y + e) as p from one) o, rafiki._number_errors(o.a, o.p) e),
    drawn as (select e.* from (select array_agg(y) as a, array_agg(y + e) as p from one group by sample) o, rafiki._number_errors(o.a, o.p, 1.96) e)
    select avg((t.value between d.low and d.high)::int) filter (where t.metric = 'r2')::float8 as r2,
      avg((t.value between d.low and d.high)::int) filter (where t.metric = 'rmse')::float8 as rmse,
      avg((t.value between d.low and d.high)::int) filter (where t.metric = 'mae')::float8 as mae
    from drawn d join truth t using (metric)`);
  for (const share of Object.values(found ?? {})) expect(share).toBeGreaterThan(0.9);
});

describe('a table', () => {
  test('without the target is said to lack it', async () => {
    await db.query(
      'create view unlabelled as select id, age, city, mood, member, since, stayed, spends, note from customers',
    );
    for (const call of [
      `rafiki_evaluate('${classes}', 'public.unlabelled')`,
      `rafiki_confusion('${classes}', 'unlabelled')`,
    ])
      expect(await failureOf(db, `select ${call}`)).toMatchObject({
        code: '42703',
        message: expect.stringMatching(/unlabelled has no column "buys", which model ".*" predicts/),
        hint: expect.stringContaining('target =>'),
      });
  });

  test('of another model is said to lack what the model reads', async () => {
    await db.query(`create table visits (id int primary key, age int, buys text, guess text);
      insert into visits values (1, 20, 'yes')`);
    const lacks = {
      code: '42703',
      message: expect.stringMatching(/visits has no column "city", which model ".*" reads/),
      detail: expect.stringMatching(/lacks 7 of 8 columns.*age, city, mood/),
    };
    for (const sql of [
      `select rafiki_evaluate('${classes}', 'visits')`,
      `select rafiki_attach('${classes}', 'visits', output => 'guess')`,
      `call rafiki_predict_all('${classes}', 'visits', 'seen')`,
    ])
      expect(await failureOf(db, sql), sql).toMatchObject(lacks);
  });
});
