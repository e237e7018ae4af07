import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { type CustomerModels, few, trainCustomers } from '../support/customer-models.ts';
import { noticesOf } from '../support/notices.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { eventually } from '../support/studies.ts';

/** Models of several columns, from rafiki_train to their answers. */
let models: CustomerModels;
let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  models = await trainCustomers();
  ({ database, db } = models);
  await db.query(`
    create table "Odd" as select i as x, (i * 7) % 13 / 7.0::float8 as "a b", i % 2 as "__proto__", i % 3 = 0 as "select", case when i % 2 = 0 then 'even' else 'odd' end as class
      from generate_series(1, 100) i`);
}, 300_000);
afterAll(() => models.stop());

const answer = async (sql: string): Promise<unknown> => (await db.query<{ v: unknown }>(sql))[0]?.v;
const model = 'customers_tabular_classification';
const predict = (input: string, from = 'customers c', where = 'c.id = 40'): Promise<unknown> =>
  answer(`select rafiki_predict('${model}', ${input}) as v from ${from} where ${where}`);

const noticed = (sql: string): Promise<string[]> => noticesOf(db, sql);

describe('the columns that are read', () => {
  test('are all but keys and what no model reads, and a notice says so', async () => {
    const [study] = await db.query('select features::text[] as features, kinds from rafiki.study order by id limit 1');
    expect(study).toEqual({
      features: ['age', 'city', 'mood', 'member', 'since', 'stayed', 'spends', 'note'],
      kinds: ['number', 'text', 'text', 'boolean', 'time', 'interval', 'number', 'text'],
    });
    expect(
      await noticed(`select * from rafiki_check('tabular_classification', 'public.customers', target => 'buys')`),
    ).toEqual(['left out: id (primary key), code (all values differ), photo (bytea), place (point)']);
  });

  test('are those that are named', async () => {
    const [version] = await db.query(
      `select v.features::text[] as features, v.kinds from rafiki.model_version v join rafiki.model m on m.id = v.model_id where m.task = 'tabular_regression'`,
    );
    expect(version).toEqual({ features: ['age', 'city'], kinds: ['number', 'text'] });
  });

  test('may have any names', async () => {
    await models.train(`'tabular_classification', '"Odd"', ${few}`);
    expect(await answer(`select rafiki_predict('Odd_tabular_classification', o) as v from "Odd" o where x = 4`)).toBe(
      'even',
    );
  });
});

describe('a target of numbers', () => {
  test('may have rows left out', async () => {
    await db.query(
      `create table typos as select id, age, city, case id when 7 then 'n/a' when 8 then 'NaN' else (10 * age)::text end as price from customers;
       alter table typos add primary key (id)`,
    );
    await models.train(`'tabular_regression', 'typos', target => 'price', on_bad_row => 'skip', ${few}`);
    const [study] = await db.query(
      `select s.skipped_rows, o.skipped_example #>> '{}' as example from rafiki.study s join rafiki.study_ownership o using (id) where s.model = 'typos_tabular_regression'`,
    );
    expect(study).toEqual({ skipped_rows: 2, example: 'Key (id)=(7): It is "n/a".' });
    const evaluate = `select metric, value from rafiki_evaluate('typos_tabular_regression', 'public.typos', target => 'price')`;
    const metrics = new Map(
      (await db.query<{ metric: string; value: number }>(evaluate)).map((m) => [m.metric, m.value]),
    );
    expect(metrics.get('rows')).toBe(398);
    expect(metrics.get('rmse')).toBeGreaterThanOrEqual(0);
    expect(await noticed(evaluate)).toContain('2 of 400 rows have a target that is no number');
    const failure = await failureOf(
      db,
      `select rafiki_evaluate('typos_tabular_regression', 'typos', target => 'city')`,
    );
    expect(failure).toMatchObject({ code: '22000', message: 'no target of public.typos is a number' });
    const [judged] = await db.query(
      `select rows, jsonb_array_length(pairs) as pairs, jsonb_array_length(mistakes) as mistakes, mistakes::text ~ 'NaN|n/a' as has_strange
       from rafiki._mistakes('typos_tabular_regression', 'typos', 'price', null, 1000, 5)`,
    );
    expect(judged).toEqual({ rows: 398, pairs: 398, mistakes: 5, has_strange: false });
  });
});

describe('a row', () => {
  test('is answered the same as row, document, untyped literal, of a table, a view and a sub-query', async () => {
    await db.query(
      'create view seen as select note, spends, stayed, since, member, mood, city, age, id from customers',
    );
    const json = await answer(`select to_json(c)::text as v from customers c where id = 40`);
    const answers = [
      await predict('c'),
      await predict('c.*'),
      await predict('c', 'seen c'),
      await predict('c', '(select * from customers) c'),
      await predict('to_jsonb(c)'),
      await predict('to_json(c)'),
      await predict('to_json(c)::text'),
      await answer(`select rafiki_predict('${model}', '${String(json)}') as v`),
      await answer(
        `select rafiki_predict('${model}', input => c, budget => '20 s') as v from customers c where id = 40`,
      ),
      await answer(
        `select (rafiki_predict_rows('${model}', array_agg(to_jsonb(c) order by id)))[40] as v from customers c`,
      ),
      await answer(`select rafiki_predict_detail('${model}', c) ->> 'label' as v from customers c where id = 40`),
    ];
    expect(new Set(answers)).toEqual(new Set(['yes']));
  });

  test('of nulls is predicted, and null is null', async () => {
    const nulls =
      (await answer(`select to_jsonb(r)::text as v from (select null as age, null as city, null as mood, null as member, null as since,
      null as stayed, null as spends, null as note) r`)) as string;
    expect(['yes', 'no']).toContain(await predict(`'${nulls}'`));
    expect(['yes', 'no']).toContain(
      await predict('(null, null, null, null, null, null, null, null, null, null, null, null, null)::customers'),
    );
    expect(await answer(`select rafiki_predict('${model}', null::customers) as v`)).toBeNull();
    expect(await answer(`select rafiki_predict('${model}', null::jsonb) as v`)).toBeNull();
    expect(await answer(`select rafiki_predict_rows('${model}', array[null::jsonb]) as v`)).toEqual([null]);
  });

  test.each([
    [
      'without a column',
      `(select age from customers where id = 40)`,
      'q',
      '22000',
      /no column "city".*reads age, city, mood/s,
    ],
    ['of another table', `"Odd"`, 'q', '22000', /no column "age".*The input has x, a b/s],
    [
      'whose column was retyped',
      `(select *, 'old' as age2 from customers where id = 40)`,
      `jsonb_set(to_jsonb(q), '{age}', '"old"')`,
      '22000',
      /"age" cannot be read as a number.*"old"/s,
    ],
    ['that is no object', 'customers', `'[1]'::jsonb`, '22000', /no JSON object/],
    ['that is a text', 'customers', `'hello'`, '22000', /no JSON object/],
    ['that is an image', 'customers', `'x'::bytea`, '22023', /reads columns, but the input is an image/],
    ['that is a number', 'customers', '5', '42804', /the model reads rows, not integer.*Give a row/s],
  ])('%s is an error', async (_, from, input, code, said) => {
    const failure = await failureOf(db, `select rafiki_predict('${model}', ${input}) from ${from} q limit 1`);
    expect(failure.code).toBe(code);
    expect(Object.values(failure).join(' ')).toMatch(said);
  });

  test('with settings of its session is read as that of the worker', async () => {
    const usual = await predict('c');
    const session = await database.as('owner');
    await db.query('grant select on customers to public');
    await db.query(
      `select rafiki_grant('${model}', (select rolname::text from pg_roles where rolname = 'owner_' || current_database())::regrole)`,
    );
    await session.query(
      `set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set intervalstyle = 'sql_standard'; set rafiki.latency_budget = '20 s'`,
    );
    const [found] = await session.query(
      `select rafiki_predict('${model}', c) as v from public.customers c where id = 40`,
    );
    expect(found).toEqual({ v: usual });
    expect(await failureOf(session, `select rafiki_predict('unknown', 5)`)).toMatchObject({ code: '42704' });
  });

  test.each([
    [model, 'customers'],
    ['Odd_tabular_classification', '"Odd"'],
  ])('that %s was trained on is recognised whatever settings a session has', async (name, source) => {
    const trainedOn = async (settings: string): Promise<number | undefined> => {
      const session = await db.connect(() => undefined);
      await session.query(settings);
      const [row] = await session.query<{ value: number }>(
        `select value from rafiki_evaluate('${name}', '${source}') where metric = 'rows_trained_on'`,
      );
      await session.close();
      return row?.value;
    };
    const usual = await trainedOn('reset all');
    expect(usual).toBeGreaterThan(60);
    const strange = `set timezone = 'Asia/Tokyo'; set intervalstyle = 'sql_standard'; set extra_float_digits = 0`;
    expect(await trainedOn(strange)).toBe(usual);
  });
});

describe('numbers', () => {
  const numbers = 'customers_tabular_regression';

  test('are predicted as float8, and as text', async () => {
    const [row] = await db.query<{ number: number; text: string; document: number; untyped: number; spends: number }>(
      `select rafiki_predict_number('${numbers}', c) as number, rafiki_predict('${numbers}', c) as text, spends::float8,
         rafiki_predict_number('${numbers}', to_jsonb(c)) as document, rafiki_predict_number('${numbers}', '{"age": 60, "city": "Basel"}') as untyped
       from customers c where id = 40`,
    );
    expect(Math.abs((row?.number ?? 0) - (row?.spends ?? 0))).toBeLessThan(100);
    expect([row?.document, row?.untyped, Number(row?.text)]).toEqual([row?.number, row?.number, row?.number]);
  });

  test('have no classes, and classes are no numbers', async () => {
    expect(await failureOf(db, `select rafiki_probabilities('${numbers}', c) from customers c`)).toMatchObject({
      code: '42809',
    });
    expect(await failureOf(db, `select rafiki_confusion('${numbers}', 'customers')`)).toMatchObject({ code: '42809' });
    expect(await failureOf(db, `select rafiki_predict_number('${model}', c) from customers c`)).toMatchObject({
      code: '42809',
    });
  });
});

describe('many rows', () => {
  const expected = `select id, rafiki_predict('${model}', c) as answer from customers c order by id`;

  test('of a query are predicted by the columns that the model reads', async () => {
    const answers = await db.query<{ id: number; answer: string }>(expected);
    const query = 'select note, spends, stayed, since, member, mood, city, age, id from customers order by id';
    expect(
      await db.query(
        `select (row ->> 'id')::int as id, prediction as answer from rafiki_predict_query('${model}', '${query}')`,
      ),
    ).toEqual(answers);
    expect(
      await db.query(
        `select id, answer from rafiki_predict_columns('${model}', 'select id, age::int as age, city, mood::text as mood, member, since, stayed, spends, note from customers order by id limit 1')
         as t (id int, age int, city text, mood text, member boolean, since timestamptz, stayed interval, spends numeric, note text, answer text)`,
      ),
    ).toEqual([{ id: 1, answer: answers[0]?.answer }]);
    expect(
      await failureOf(db, `select * from rafiki_predict_query('${model}', 'select age, city from customers')`),
    ).toMatchObject({
      code: '42703',
      message: 'the query has no column "mood", "member", "since", "stayed", "spends", "note"',
    });
    expect(
      await failureOf(db, `select * from rafiki_predict_query('${model}', '${query}', input => 'age')`),
    ).toMatchObject({ code: '22023' });
  });

  test('of a table are predicted into another one', async () => {
    await db.query(`call rafiki_predict_all('${model}', 'customers', 'answers', output => 'answer')`);
    expect(await db.query('select id, answer from answers order by id')).toEqual(await db.query(expected));
  });

  test('that are written to an attached table are filled', async () => {
    await db.query(`
      create table arrivals (like customers including all);
      alter table arrivals add guess text;
      select rafiki_attach('${model}', 'arrivals', output => 'guess');
      alter table arrivals rename age to years;
      insert into arrivals select c.* from customers c`);
    await eventually(db, 'select from arrivals having count(guess) = 400');
    expect(await db.query('select id, guess as answer from arrivals order by id')).toEqual(await db.query(expected));
    expect(await db.query('select unanswered::int, last_error from rafiki.attachments')).toEqual([
      { unanswered: 0, last_error: null },
    ]);
  });
});
