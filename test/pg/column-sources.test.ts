import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { regression } from '../../src/domain/kinds/regression.ts';
import { createCustomers } from '../support/customers.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';

/** What of a source is learnt by tasks of several columns, and how its rows are read and checked; no model is trained. */
let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createCustomers(db);
});
afterAll(() => database.drop());

const answer = async <T>(sql: string): Promise<T> => (await db.query<{ v: T }>(`select (${sql}) as v`))[0]?.v as T;

/** The study that was queued. */
async function queued(args: string): Promise<{ features: string[]; validation_split: string | null }> {
  const [study] = await db.query<{ id: number }>(`select rafiki_train(${args}) as id`);
  const [row] = await db.query<{ features: string[]; validation_split: string | null }>(
    'select features::text[] as features, validation_split::text as validation_split from rafiki.study where id = $1',
    [study?.id],
  );
  return row as { features: string[]; validation_split: string | null };
}

/** How often a query builds the object of a row. */
async function subPlansOf(query: string): Promise<number> {
  const plan = await db.query<Record<string, string>>(`explain ${query}`);
  return plan.filter((line) => /^ *SubPlan/.test(Object.values(line).join())).length;
}

describe('the columns', () => {
  test('leave out the one time that chooses the validation rows', async () => {
    await db.query(`create table visits as select i % 7 as weekday, timestamptz '2026-01-01' + i * interval '1 day' as at,
      case when i % 7 < 5 then 'work' else 'rest' end as label from generate_series(1, 60) i`);
    expect(await queued(`'tabular_classification', 'visits', validation_after => '2026-02-10'`)).toEqual({
      features: ['weekday'],
      validation_split: 'at',
    });
    expect(
      await failureOf(
        db,
        `select rafiki_train('tabular_classification', 'visits', model => 'other', features => '{weekday,at}', validation_after => '2026-02-10')`,
      ),
    ).toMatchObject({ code: '42701', message: 'column "at" cannot be both learnt and what splits the rows' });
  });

  test('of a key are left out, but not what its index includes', async () => {
    await db.query(`create table flats (id int, rooms int, price int, primary key (id) include (price));
      insert into flats select i, i % 5, 100 * (i % 5) from generate_series(1, 50) i;
      create table ranks (team int, label text, points int, primary key (team, label));
      insert into ranks select i, (array['a', 'b'])[1 + i % 2], i % 5 from generate_series(1, 50) i`);
    expect(await queued(`'tabular_regression', 'flats', target => 'price'`)).toMatchObject({ features: ['rooms'] });
    expect(await queued(`'tabular_classification', 'ranks'`)).toMatchObject({ features: ['points'] }); // a part of a key may be a label
    expect(await failureOf(db, `select rafiki_train('tabular_regression', 'ranks', target => 'team')`)).toMatchObject({
      code: '42804',
      detail: expect.stringMatching(/^It is part of the primary key:/),
    });
  });

  test('are read as what their domains are of, domains over domains, too', async () => {
    await db.query(`create domain ages as int; create domain adult as ages check (value >= 18); create domain moment as timestamptz;
      create table members (age adult, since moment, tag name)`);
    const kinds = 'select json_object_agg(name, kind) from rafiki._column_kinds($$members$$)';
    expect(await answer(kinds)).toEqual({ age: 'number', since: 'time', tag: 'text' });
  });

  test('are no labels where their domains are of numbers with fractions', async () => {
    await db.query(`create domain prices as float8; create domain moods as text;
      create table offers as select i as n, (i % 7)::prices as price, (array['a', 'b'])[1 + i % 2]::moods as mood from generate_series(1, 50) i`);
    expect(await queued(`'tabular_classification', 'offers', target => 'mood'`)).toMatchObject({
      features: ['n', 'price'],
    });
    expect(
      await failureOf(db, `select rafiki_train('tabular_classification', 'offers', target => 'price')`),
    ).toMatchObject({ code: '42804', detail: 'Column "price" has type public.prices.' });
  });

  test('are of the kind that names their type before one of its category', async () => {
    await db.query(`create table tags (tag name);
      insert into rafiki.column_kind (name, title, types, categories) values ('special', 'a name', '{name}', '{}')`);
    expect(await answer('select json_object_agg(name, kind) from rafiki._column_kinds($$tags$$)')).toEqual({
      tag: 'special',
    });
    await db.query(`delete from rafiki.column_kind where name = 'special'`);
  });

  test.each([
    [
      'a column of images',
      `target => 'buys', features => '{age,photo}'`,
      '42804',
      /photo.*image_classification, alone/s,
    ],
    ['a type that no kind reads', `target => 'buys', features => '{place}'`, '42804', /point.*cast it in a view/s],
    ['the target', `target => 'buys', features => '{buys}'`, '42701', /both feature and target/],
    ['a column twice', `target => 'buys', features => '{age,age}'`, '42701', /named twice/],
    ['an unknown column', `target => 'buys', features => '{agee}'`, '42703', /nearest name first: age/],
    ['no target', `target => null`, '42702', /several columns of public.customers could be the target/],
  ])('cannot be %s', async (_, args, code, said) => {
    const failure = await failureOf(
      db,
      `select rafiki_train('tabular_classification', 'customers', model => 'other', ${args})`,
    );
    expect(failure.code).toBe(code);
    expect(Object.values(failure).join(' ')).toMatch(said);
  });
});

describe('the rows', () => {
  test('are checked whatever letters are in their values', async () => {
    await db.query(`create table quotes as select e'say "hi"\\n\\tor \\\\ nothing ' || i % 9 as said, i % 3 as tone, case i % 3 when 0 then 'calm' else 'loud' end as label
      from generate_series(1, 90) i`);
    const findings = await db.query<{ finding: string; detail: string }>(
      `select * from rafiki_check('tabular_classification', 'quotes')`,
    );
    const details = Object.fromEntries(findings.map(({ finding, detail }) => [finding, detail]));
    expect(details).toMatchObject({
      rows: expect.stringContaining('90 used'),
      repeats: '81 rows repeat another row',
    });
  });

  test('have the same hash whatever settings a session has, and different rows have different ones', async () => {
    await db.query(`create domain moment2 as timestamptz;
      create table events as select i as n, timestamptz '2026-03-29 00:30+00' + i * interval '1 hour' as at, (timestamptz 'epoch' + i * interval '1 year')::moment2 as seen,
        make_interval(months => i, days => -i, secs => i * 0.25) as took, i / 3.0::float8 as share, i / 3.0::float4 as half, time '12:00' as daily, date '2026-01-01' + i as day,
        timestamp '2026-01-01 12:00' as plain, i % 2 as label from generate_series(1, 20) i;
      insert into events (n, at, seen, label) values (21, 'infinity', '-infinity', 1), (22, null, null, 0), (23, '0044-03-15 BC', '0044-03-15 BC', 0)`);
    const study = (await db.query<{ id: number }>(`select rafiki_train('tabular_classification', 'events') as id`))[0]
      ?.id;
    const hashesWith = async (settings: string): Promise<string[]> => {
      const session = await db.connect(() => undefined);
      await session.query(settings);
      const [{ split } = { split: '' }] = await session.query<{ split: string }>(
        `select rafiki._split_query(s) as split from rafiki.study s where id = ${study}`,
      );
      await session.query('set extra_float_digits = 1'); // as the functions that hash rows
      const rows = await session.query<{ hash: string }>(`select hash::text from (${split}) q order by hash`);
      await session.close();
      return rows.map(({ hash }) => hash);
    };
    const usual = await hashesWith('reset all');
    expect(new Set(usual).size).toBe(23);
    const strange = `set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set intervalstyle = 'sql_standard'`;
    expect(await hashesWith(strange)).toEqual(usual);
    expect(await hashesWith(`set timezone = 'America/St_Johns'; set intervalstyle = 'iso_8601'`)).toEqual(usual);
  });

  test('are built once for each that a worker reads, with all digits', async () => {
    const [row] = await db.query<{ query: string }>(
      `select rafiki._reader_query(s) as query from rafiki.study s where source = 'events'::regclass`,
    );
    expect(await subPlansOf(`${row?.query}`)).toBe(1);
    const settings = await db.query<{ proconfig: string[] }>(
      `select proconfig from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`,
    );
    expect(settings.length).toBeGreaterThan(0);
    for (const { proconfig } of settings) expect(proconfig).toContain('extra_float_digits=1');
  });
});

describe('the rows of an evaluation', () => {
  test('are built once, for their hash, too', async () => {
    const [row] = await db.query<{ query: string }>(
      `select rafiki._labelled_query(source, target, rafiki._input_expression(features, kinds, source), 'columns') as query
       from rafiki.study where source = 'events'::regclass`,
    );
    expect(await subPlansOf(`select r.input, rafiki._input_hash(r.input) from (${row?.query}) r`)).toBe(1);
  });
});

describe('a number to learn', () => {
  test.each([
    ['is a number', 'city', '22000', /not a number in 267 of 267 rows.*Key \(id\)=\(\d+\): "B/s],
    ['exists', 'prise', '42703', /does not exist/],
    ['is no key', 'id', '42804', /identifies rows.*primary key/s],
    ['has a type that can be one', 'since', '42804', /timestamp with time zone/],
  ])('%s', async (_, target, code, said) => {
    const failure = await failureOf(
      db,
      `select rafiki_train('tabular_regression', 'customers', model => 'other', target => $1)`,
      [target],
    );
    expect(failure.code).toBe(code);
    expect(Object.values(failure).join(' ')).toMatch(said);
  });

  test('differs between rows, and one that is none is named or left out', async () => {
    await db.query(`
      create view constant as select age, case when id % 2 = 0 then '7.0' else '7.00' end as price from customers;
      create view mistyped as select id, age, case when id = 7 then 'n/a' when id = 8 then 'NaN' else age::text end as price from customers`);
    const train = (source: string, more = '') =>
      failureOf(db, `select rafiki_train('tabular_regression', '${source}', target => 'price' ${more})`);
    expect(await train('constant')).toMatchObject({
      ...{ code: '22000', message: 'all numbers of "price" are the same' },
      detail: 'It is 7 in all 400 labelled rows.',
    });
    expect(await train('mistyped')).toMatchObject({
      message: '"price" is not a number in 2 of 400 rows',
      detail: expect.stringMatching(/Key \(id\)=\([78]\): "(n\/a|NaN)"/),
    });
  });

  const texts = [
    '12',
    '-0.50',
    ' 3 ',
    '.5',
    '5.',
    '+1e38',
    '3.4028234663852886e38',
    '1e-300',
    '1e-999',
    '\t1\n',
    '1e00038',
  ];
  const others = [
    '',
    ' ',
    'NaN',
    'Infinity',
    'twelve',
    '1,5',
    '0x10',
    '1e39',
    '-3.5e38',
    '1e200',
    '1e400',
    '1e999999',
    '1e-99999',
  ];
  others.push('1'.repeat(401), '\u20033', '1_000', '1e', '.', '1 2');

  test.each([...texts, ...others])('%j is one for SQL where it is one for the worker', async (text) => {
    const readable = (): boolean => {
      try {
        regression.readLabel(Buffer.from(text));
        return true;
      } catch {
        return false;
      }
    };
    expect(readable()).toBe(texts.includes(text));
    const [row] = await db.query<{ test: string }>(`select rafiki._number_test('$1::text') as test`);
    expect(await db.query(`select ${row?.test} as v`, [text])).toEqual([{ v: texts.includes(text) }]);
    const number = texts.includes(text) ? Number(text) : null; // a tiny one is 0
    expect(await db.query('select rafiki._number_of($1) as v', [text])).toEqual([{ v: number }]);
  });

  test('that single precision has none for is an error that names the row', async () => {
    await db.query(`create table huge as select i as id, i % 5 as rooms, case i when 7 then 1e200 else i % 5 end::float8 as price from generate_series(1, 50) i;
      alter table huge add primary key (id)`);
    expect(await failureOf(db, `select rafiki_train('tabular_regression', 'huge', target => 'price')`)).toMatchObject({
      code: '22000',
      message: '"price" is not a number in 1 of 50 rows',
      detail: 'Key (id)=(7): "1e+200".',
      hint: expect.stringContaining('3.4e38'),
    });
  });
});

test('the rows that a model was trained on are estimated where only a part of the hashes is stored', async () => {
  const told = (trained: number, known: number, rows: number): Promise<string | null> =>
    answer(`select rafiki._tell_trained('m', ${trained}, ${known}, ${rows})::text`);
  expect(await told(3, 6, 100)).toBe('50');
  expect(await told(7, 7, 7)).toBe('7');
  expect(await told(0, 7, 7)).toBe('0');
  expect(await told(0, 0, 7)).toBeNull();
});
