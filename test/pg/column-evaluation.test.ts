import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { type CustomerModels, few, trainCustomers } from '../support/customer-models.ts';
import { noticesOf } from '../support/notices.ts';
import { failureOf } from '../support/sql-failure.ts';

/** How good models of several columns are, by rafiki_evaluate and its like. */
let models: CustomerModels;
let db: Database;

beforeAll(async () => {
  models = await trainCustomers();
  db = models.db;
}, 300_000);
afterAll(() => models.stop());

const model = 'customers_tabular_classification';
const numbers = 'customers_tabular_regression';
const noticed = (sql: string): Promise<string[]> => noticesOf(db, sql);

test('classes are evaluated over all columns', async () => {
  const rows = await db.query<{ metric: string; value: number }>(
    `select metric, value from rafiki_evaluate('${model}', 'customers')`,
  );
  const metrics = Object.fromEntries(rows.map(({ metric, value }) => [metric, value]));
  expect(metrics['rows']).toBe(400);
  expect(metrics['rows_trained_on']).toBeGreaterThan(250);
  expect(metrics['accuracy']).toBeGreaterThan(0.9);
  expect(metrics['auc']).toBeGreaterThan(0.9);
  expect(metrics['log_loss']).toBeLessThan(0.7);
  expect(metrics['calibration_error']).toBeLessThan(0.5);
  const [matrix] = await db.query(`select sum(row_count)::int as n from rafiki_confusion('${model}', 'customers')`);
  expect(matrix).toEqual({ n: 400 });
  expect(await failureOf(db, `select rafiki_evaluate('${model}', 'customers', feature => 'age')`)).toMatchObject({
    code: '22023',
    message: `model "${model}" reads several columns`,
  });
});

test('a model is evaluated with the target of the version that answers, not with one of an earlier study', async () => {
  await db.query(`create table judged as select id, age, city, buys as first, case buys when 'yes' then 'no' else 'yes' end as second
    from customers`);
  await models.train(
    `'tabular_classification', 'judged', model => 'judge', features => '{age,city}', target => 'first', ${few}`,
  );
  await models.train(
    `'tabular_classification', 'judged', model => 'judge', features => '{age,city}', target => 'second', replace => true, ${few}`,
  );
  await db.query('alter table judged rename second to verdict');
  expect(await failureOf(db, `select * from rafiki_evaluate('judge', 'judged')`)).toMatchObject({
    code: expect.stringMatching(/^42/),
    hint: expect.stringContaining('target =>'),
  });
});

test('numbers are evaluated by how far they are off, with what was trained on', async () => {
  const rows = await db.query<{ metric: string; value: number }>(
    `select metric, value from rafiki_evaluate('${numbers}', 'customers')`,
  );
  const metrics = Object.fromEntries(rows.map(({ metric, value }) => [metric, value]));
  const [expected] = await db.query<{ rmse: number; mae: number; r2: number }>(
    `select sqrt(avg((p - y) ^ 2)) as rmse, avg(abs(p - y)) as mae, 1 - avg((p - y) ^ 2) / var_pop(y) as r2
     from (select rafiki_predict_number('${numbers}', c) as p, spends::float8 as y from customers c) r`,
  );
  expect(metrics['rows']).toBe(400);
  for (const name of ['rmse', 'mae', 'r2'] as const) expect(metrics[name]).toBeCloseTo(expected?.[name] ?? 0, 6);
  expect(metrics['rows_trained_on']).toBeGreaterThan(250); // all of them, if there was time to train again
});

test('a number may be tiny, wherever it is measured', async () => {
  await db.query(
    `create view tiny as select age, city, case when id = 1 then '1e-330' else spends::text end as cost from customers`,
  );
  for (const measured of [
    `rafiki_evaluate('${numbers}', 'tiny', target => 'cost')`,
    `rafiki_feature_importance('${numbers}', 'tiny', target => 'cost', rounds => 1)`,
    `rafiki._mistakes('${numbers}', 'tiny', 'cost', null, 1000, 5)`,
  ])
    expect(await db.query(`select from ${measured}`)).not.toEqual([]);
});

test('a text has a number, too', async () => {
  await db.query(`
    create table notes as select i as id, format('%s stars, said guest %s', (array['one', 'two', 'three', 'four'])[1 + i % 4], i) as body,
      (1 + i % 4) * 1.5 as stars from generate_series(1, 200) i;
    insert into notes values (201, null, 3), (202, 'no stars', null)`);
  await models.train(`'text_regression', 'notes', target => 'stars', families => '{fasttext}', ${few}`);
  const [found] = await db.query<{ one: number; four: number }>(
    `select rafiki_predict_number('notes_text_regression', 'one stars, said she') as one,
       rafiki_predict_number('notes_text_regression', 'four stars, said he'::varchar) as four`,
  );
  expect((found?.four ?? 0) - (found?.one ?? 0)).toBeGreaterThan(2);
  const rows = await db.query<{ metric: string; value: number }>(
    `select metric, value from rafiki_evaluate('notes_text_regression', 'notes')`,
  );
  expect(rows.find(({ metric }) => metric === 'rows')?.value).toBe(200);
});

describe('what a model gets wrong', () => {
  test.each([
    ['a view', 'by_id', 50],
    ['a partitioned table', 'parted', 50],
    ['a table that has a few more rows', 'by_id_analysed', 300],
    ['a table of many more', 'by_id_analysed', 200],
  ])('is sampled from all of %s', async (_, source, sampled) => {
    await db.query(`
      create or replace view by_id as select * from customers order by id;
      drop table if exists parted, by_id_analysed;
      create table parted (like customers) partition by range (id);
      create table low partition of parted for values from (minvalue) to (200);
      create table high partition of parted for values from (200) to (maxvalue);
      insert into parted select * from by_id;
      create table by_id_analysed as select * from by_id;
      analyze by_id_analysed`);
    const [sample] = await db.query<{ rows: number; last: number }>(
      `select m.rows, (select max((w -> 'row' ->> 'id')::int) from jsonb_array_elements(m.mistakes) w) as last
       from rafiki._mistakes('customers_tabular_regression', '${source}', 'spends', null, ${sampled}, 400) m`,
    );
    expect(sample?.rows).toBe(sampled);
    // of 50 of 400 rows none is among the last 80 once in 80,000 times; there are mistakes of nearly all
    expect(sample?.last).toBeGreaterThan(320);
  });
});

describe('rafiki_feature_importance', () => {
  test('names the columns that answers depend on, by the rows of the study', async () => {
    const rows = await db.query<{ feature: string; importance: number; spread: number; plot: string }>(
      `select * from rafiki_feature_importance('${model}')`,
    );
    expect(rows.map(({ feature }) => feature).sort()).toEqual(
      ['age', 'city', 'mood', 'member', 'since', 'stayed', 'spends', 'note'].sort(),
    );
    expect(['age', 'spends']).toContain(rows[0]?.feature); // both tell the label, and a model may use one of them only
    expect(rows[0]).toMatchObject({ plot: '#'.repeat(24) });
    expect(rows[0]?.importance).toBeGreaterThan(0.1);
    expect(rows.find(({ feature }) => feature === 'note')).toEqual({
      feature: 'note',
      importance: 0,
      spread: 0,
      plot: '',
    });
    const values = rows.map(({ importance }) => importance);
    expect(values).toEqual([...values].sort((a, b) => b - a));
  });

  test('measures numbers by R², and says what it measures', async () => {
    expect(await noticed(`select rafiki_feature_importance('${numbers}', 'public.customers', rounds => 2)`)).toEqual([
      expect.stringMatching(/^r2 of 400 rows of public\.customers: 0\.9/),
    ]);
    const [first] = await db.query(
      `select feature, importance > 1 as matters from rafiki_feature_importance('${numbers}')`,
    );
    expect(first).toEqual({ feature: 'age', matters: true }); // of exchanged numbers R² is about -1
  });

  test.each([
    [`'notes_text_regression'`, '42809', /reads one input/],
    [`'nothing'`, '42704', /./],
    [`'${model}', 'notes'`, '42703', /"age"/],
    [`'${model}', rounds => 0`, '22023', /between 1 and 100/],
  ])('refuses (%s)', async (args, code, said) => {
    const failure = await failureOf(db, `select rafiki_feature_importance(${args})`);
    expect(failure).toMatchObject({ code, hint: expect.any(String) });
    expect(Object.values(failure).join(' ')).toMatch(said);
  });

  test('exchanges values in as many ways as there are rows, and each of them once', async () => {
    const [made] = await db.query<{ query: string }>(
      `select rafiki._swapped_rows('${model}', 'customers', 'id', t, '{id}', '{number}', 30, 50) as query
       from rafiki.task t where t.name = 'tabular_classification'`,
    );
    const orders = await db.query<{ round: number; rows: number; own: number; sources: string }>(
      `select (carried ->> 1)::int as round, count(*) as rows, count(*) filter (where carried ->> 2 = (input::json ->> 'id')) as own,
              string_agg(input::json ->> 'id', ' ' order by (carried ->> 2)::int) as sources
       from (${made?.query}) q group by 1 order by 1`,
    );
    const rounds = Array.from({ length: 30 }, (_, round) => round); // the first has the rows as they are
    expect(orders.map(({ round, rows, own }) => ({ round, rows, own }))).toEqual(
      rounds.map((round) => ({ round, rows: 30, own: round === 0 ? 30 : 0 })),
    );
    expect(new Set(orders.map(({ sources }) => sources)).size).toBe(30);
  });

  test('uses rows that the model has not seen, if there are enough', async () => {
    await db.query(`
      create table seen_and_new as select c.* from customers c union all
        select i + 1000, 'x', 20, c.city, c.mood, c.member, c.since, c.stayed, c.spends + 7, c.photo, c.place, c.note, 'yes'
        from customers c, generate_series(1, 10) i`);
    const notices = await noticed(
      `select rafiki_feature_importance('${model}', 'public.seen_and_new', target => 'buys')`,
    );
    expect(notices[0]).toMatch(/^accuracy of 2000 rows of public.seen_and_new: 0.[0-2]/);
  });
});
