import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { noticesOf } from '../support/notices.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';

/** What is strange about columns, and bad input for tasks of several: all of it is said before anything is trained. */
let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  await db.query(`
    create table customers as
      select i as id, 20 + i * 7 % 50 as age, (array['Bern', 'Basel', null])[1 + i % 3] as city, case when i = 7 then 'n/a' else (i * 7 % 90)::text end as points,
        'person ' || i as name, null::int as nothing, 'CH' as land, i * 7 % 50 > 25 and i % 11 > 0 as buys, case when i * 7 % 50 > 25 and i % 11 > 0 then 'B' else 'A' end as letter,
        (i * 37 % 1000)::float8 as spends, exp((i * 37 % 1000) / 100.0) as paid, timestamptz '2026-01-01' + make_interval(secs => i * 37 % 1000) as at
      from generate_series(1, 1000) i;
    alter table customers add primary key (id)`);
});
afterAll(() => database.drop());

const check = async (args: string): Promise<string[]> =>
  (await db.query<{ finding: string; detail: string }>(`select * from rafiki_check(${args})`)).map(
    ({ finding, detail }) => `${finding}: ${detail}`,
  );

/** Of statements that leave nothing behind. */
const noticed = (sql: string): Promise<string[]> => noticesOf(db, `begin; ${sql}; rollback`);

test('large numbers are told rounded, not cut', async () => {
  await db.query('create table big as select 1234567890123 + i as y, i % 10 as a from generate_series(1, 200) i');
  expect(await check(`'tabular_regression', 'big', target => 'y'`)).toContain(
    'numbers: 200 different, from 1.235e+12 to 1.235e+12, median 1.235e+12',
  );
});

test('prices as texts are no keys', async () => {
  await db.query(
    `create table priced as select i % 2 as y, (i * 1.25)::text as price, 'K' || i as code from generate_series(1, 200) i`,
  );
  expect(await noticed(`select rafiki_train('tabular_classification', 'priced', target => 'y')`)).toEqual([
    'left out: code (all values differ)',
    'column "price": numbers as texts: cast it in a view',
  ]);
});

test('whole numbers that are all different are a key if they are named so', async () => {
  await db.query(
    'create table uploaded as select i as id, i / 2 as shop_id, i as population, i % 2 as y from generate_series(1, 200) i',
  );
  expect(await noticed(`select rafiki_train('tabular_classification', 'uploaded', target => 'y')`)).toEqual([
    'left out: id (all values differ)',
  ]);
});

test('a list of very many columns is shortened', async () => {
  const [made] = await db.query<{ sql: string }>(
    `select format('create view all_keys as select 1 as y, %s', string_agg(format('gen_random_uuid() as column_%s', i), ', ')) as sql from generate_series(1, 800) i`,
  );
  await db.query(made?.sql ?? '');
  const { detail } = await failureOf(db, `select rafiki_train('tabular_classification', 'all_keys', target => 'y')`);
  expect(detail).toMatch(/^Left out: column_1 \(.*\) and 780 more\.$/);
  expect(detail?.length).toBeLessThan(1500);
});

describe('a feature that alone tells the target', () => {
  test('is named for classes, by rafiki_check, a notice, and the notice of the study', async () => {
    const told = '"letter" alone tells 100 % of "buys"';
    expect(
      await check(`'tabular_classification', 'customers', target => 'buys', features => '{age,letter,city}'`),
    ).toContain(`leak?: ${told}`);
    const train = `select rafiki_train('tabular_classification', 'customers', target => 'buys', features => '{age,letter,city}')`;
    expect(await noticed(train)).toEqual([`leak? ${told}`]);
    await db.query(train);
    expect(await db.query('select notice from rafiki.studies')).toEqual([{ notice: `Leak? ${told}.` }]);
    await db.query('select rafiki_cancel(study) from rafiki.studies');
  });

  test.each(['1e309', '1e-400', 'NaN'])('is named beside a number that no float8 has, %s', async (strange) => {
    await db.query(
      `create table wide as select i % 2 as y, i % 2 as copy, case when i = 7 then '${strange}'::numeric else i end as other from generate_series(1, 500) i`,
    );
    expect(await check(`'tabular_classification', 'wide', target => 'y', features => '{copy,other}'`)).toContain(
      'leak?: "copy" alone tells 100 % of "y"',
    );
    await db.query('drop table wide');
  });

  test('is named for numbers, whatever the curve', async () => {
    const found = await check(
      `'tabular_regression', 'customers', target => 'spends', features => '{age,paid,city,at}'`,
    );
    expect(found.filter((line) => line.startsWith('leak'))).toEqual([
      expect.stringMatching(/^leak\?: "(at|paid)" alone tells 99\.\d % of "spends"$/),
      expect.stringMatching(/^leak\?: "(at|paid)" alone tells 99\.\d % of "spends"$/),
    ]);
  });

  test.each([
    ['has a different value in each row', `case when i % 2 = 0 then 'a' else 'b' end as y, 'row ' || i as x`],
    [
      'is often right, as the most frequent answer is',
      `case when i % 100 = 0 then 'a' else 'b' end as y, 1 as x, i % 7 as z`,
    ],
    ['tells much, but not all', `case when i % 10 = 0 then 'a' when i % 2 = 0 then 'b' else 'c' end as y, i % 2 as x`],
    [
      'has few rows',
      `case when i % 2 = 0 then 'a' else 'b' end as y, i % 2 as x from generate_series(1, 60) i union select null, null`,
    ],
  ])('is not one that %s', async (_, columns) => {
    await db.query(
      `create view seen as select ${columns}${columns.includes(' from ') ? '' : ' from generate_series(1, 1000) i'}`,
    );
    const found = await check(
      `'tabular_classification', 'seen', target => 'y', features => (select array_agg(attname) from pg_attribute where attrelid = 'seen'::regclass and attname <> 'y')`,
    );
    await db.query('drop view seen');
    expect(found.filter((line) => line.startsWith('leak'))).toEqual([]);
  });
});

test('columns that say nothing, or that are probably meant otherwise, are named', async () => {
  const args = `'tabular_classification', 'customers', target => 'buys', features => '{age,points,name,nothing,land,city}'`;
  const columns = [
    '"points": numbers as texts, but for some such as "n/a"',
    '"name": 1000 different texts in 1000 rows: most count as rare',
    '"nothing": always null',
    '"land": always "CH"',
  ];
  expect((await check(args)).filter((line) => line.startsWith('column'))).toEqual(
    columns.map((line) => `column: ${line}`),
  );
  expect((await noticed(`select rafiki_train(${args}, model => 'other')`)).map((line) => line.slice(0, 40))).toEqual(
    columns.map((line) => `column ${line}`.slice(0, 40)),
  );
});

test('rafiki_check counts rows with numbers, and describes them', async () => {
  await db.query(
    `create view prices as select id, age, case when id = 1 then 'n/a' when id > 2 then spends::text end as price from customers`,
  );
  const found = await check(`'tabular_regression', 'prices', target => 'price', features => '{age}'`);
  expect(found).toEqual([
    'rows: 998 used, 20 % of them to validate on',
    'left out: 1 whose "price" is null',
    'bad rows: 1 whose "price" is no number',
    'numbers: 998 different, from 0 to 999, median 500',
    expect.stringMatching(/^mean: 500\.4 every time would have an RMSE of 288\.\d, and an R² of 0$/),
  ]);
});

test('a row with several labels is shown', async () => {
  await db.query(`create view doubtful as select age, city, buys from customers where id % 50 <> 3
    union all select 99, 'Bern', i % 2 = 0 from generate_series(1, 4) i`);
  const found = await check(`'tabular_classification', 'doubtful', target => 'buys', features => '{age,city}'`);
  expect(found).toContainEqual(expect.stringMatching(/^two labels: \d+ rows have several, such as \{"age":/));
});

test('what identifies rows in a table is left out of a view, too', async () => {
  await db.query(`create view older as select id, age, city, buys from customers where age > 30;
    create view oldest as select * from older where age > 60;
    create view counted as select city as id, count(*) as n, bool_or(buys) as buys from customers group by city`);
  for (const view of ['older', 'oldest'])
    expect(await noticed(`select * from rafiki_check('tabular_classification', '${view}', target => 'buys')`)).toEqual([
      'left out: id (primary key of public.customers)',
    ]);
  expect(await noticed(`select * from rafiki_check('tabular_classification', 'counted', target => 'buys')`)).toEqual(
    [],
  );
});

describe('bad input', () => {
  beforeAll(() =>
    db.query(`
      create view unlabelled as select id, age, null::text as label from customers;
      create view constant as select id, age, 'a' as label from customers;
      create view named as select id, age, name as label from customers;
      create view typo as select id, age, points as price from customers;
      create view images as select '\\x00'::bytea as photo, buys from customers;
      create view many as select i as id, i % 100 as age, 'class ' || i % 3000 as label from generate_series(1, 9000) i;
      create view categories as select i as id, 'value ' || i % 100000 as x, i % 2 = 0 as label from generate_series(1, 100000) i`),
  );

  test.each([
    ['no target', `'tabular_classification', 'customers', target => 'buy'`, '42703', /nearest name first: buys/],
    [
      'a target that is always NULL',
      `'tabular_classification', 'unlabelled', target => 'label'`,
      '22004',
      /no labelled row.*all of its 1000 rows "label" is null/s,
    ],
    [
      'a constant target',
      `'tabular_classification', 'constant', target => 'label'`,
      '22000',
      /one class only.*'a' in all 1000/s,
    ],
    [
      'a target that is an id',
      `'tabular_classification', 'named', target => 'label'`,
      '21000',
      /1000 different values.*may be no label/s,
    ],
    [
      'a target with a bad value',
      `'tabular_regression', 'typo', target => 'price'`,
      '22000',
      /not a number in 1 of 1000 rows.*"n\/a"/s,
    ],
    [
      'no feature left',
      `'tabular_classification', 'images', target => 'buys'`,
      '42703',
      /no column of public.images is left.*photo \(bytea\)/s,
    ],
    [
      'a column of bytes',
      `'tabular_classification', 'images', target => 'buys', features => '{photo}'`,
      '42804',
      /image_classification, alone/,
    ],
  ])('%s is an error that says so', async (_, args, code, said) => {
    const failure = await failureOf(db, `select rafiki_train(${args})`);
    expect(failure).toMatchObject({ code, hint: expect.stringMatching(/./) });
    expect(Object.values(failure).join(' ')).toMatch(said);
  });

  test('3,000 classes and a category of 100,000 values are told, and can be trained', async () => {
    expect(await check(`'tabular_classification', 'many', target => 'label', features => '{age}'`)).toContainEqual(
      expect.stringMatching(/^many classes: 3.0 rows each on average/),
    );
    const notices = await noticed(
      `select rafiki_train('tabular_classification', 'categories', target => 'label', features => '{id,x}')`,
    );
    expect(notices.join()).toMatch(/column "x": \d{4} different texts in 5000 rows/);
  });

  test('a view of 1,600 columns is checked', async () => {
    const columns = Array.from({ length: 1598 }, (_, i) => `i % ${i + 2} as c${i}`);
    await db.query(
      `create view wide as select i as id, ${columns.join()}, i % 2 = 0 as label from generate_series(1, 2000) i`,
    );
    const found = await check(
      `'tabular_classification', 'wide', target => 'label', features => (select array_agg(attname) from pg_attribute where attrelid = 'wide'::regclass and attname like 'c%')`,
    );
    expect(found.filter((line) => line.startsWith('leak'))[0]).toBe('leak?: "c0" alone tells 100 % of "label"');
  });
});

test('columns of numbers or dates that are stored as texts are named, but not codes', async () => {
  await db.query(`create table texts as select i, i::text as amount, (date '2026-01-01' + i)::text as day, (i % 9)::text as code,
    case when i % 2 = 0 then 'a' else 'b' end as y from generate_series(1, 300) i`);
  const found = await check(`'tabular_classification', 'texts', target => 'y', features => '{amount,day,code}'`);
  expect(found.filter((line) => line.startsWith('column'))).toEqual([
    expect.stringContaining('"amount": numbers as texts: cast it in a view'),
    expect.stringContaining('"day": dates as texts: cast it in a view'),
  ]);
});

test('texts of any collation are compared', async () => {
  await db.query(`create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    create table folded as select i as n, (array['a', 'A', 'b'])[1 + i % 3] collate any_case as p, (i % 7)::text collate any_case as "rafiki target",
      case when i % 2 = 0 then 'x' else 'y' end as y from generate_series(1, 300) i`);
  expect(await check(`'tabular_classification', 'folded', target => 'y'`)).toContainEqual(
    expect.stringContaining('300 used'),
  );
});
