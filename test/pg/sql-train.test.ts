import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { advisors } from '../../src/advisors/registry.ts';
import type { Database } from '../../src/db/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createReviews(db, 20);
  await db.query(`
    create type mood as enum ('good', 'bad');
    create view by_mood as select body, case label when 'pos' then 'good' else 'bad' end::mood as mood from reviews;
    create table empty_table (body text, label text);
    create table numbers (id int primary key, label int);
    insert into numbers values (1, 1), (2, 2);
    create table two_texts (title text, body text, label text);
    insert into two_texts values ('a', 'b', 'x'), ('a', 'b', 'y'), ('a', 'c', 'x'), ('a', 'd', 'y');
    create table two_targets (body text, stars int, spam bool);
    insert into two_targets select 'text ' || i, i % 2, i % 2 = 0 from generate_series(1, 8) i;
    create table one_class (body text, label text);
    insert into one_class select 'text', 'same' from generate_series(1, 8) i;
    create table no_labels (body text, label text);
    insert into no_labels select 'text' from generate_series(1, 8) i;
    create table all_different (body text, label text);
    insert into all_different select 'text', i from generate_series(1, 8) i;
    create table documents (body text, label jsonb);
    insert into documents select 'text', '1' from generate_series(1, 8) i;
    create table long_labels (id int primary key, body text, label text);
    insert into long_labels select i, 'text ' || i, case when i = 7 then repeat('x', 1001) else (i % 2)::text end from generate_series(1, 8) i;
    create table many_classes (body text, label int);
    insert into many_classes select 'text ' || i, i % 10001 from generate_series(1, 20002) i;
    create table wide_classes (body text, label text);
    insert into wide_classes select 'text', i % 3000 || repeat('x', 400) from generate_series(1, 6000) i;
    create table alike (body text, label text);
    insert into alike select 'text', i % 2 from generate_series(1, 8) i;
    create table repeating (body text, label text);
    insert into repeating select 'text ' || i % 2, i % 2 from generate_series(1, 1000) i;
    create table prices (body text, price float8, cents int);
    insert into prices select 'text ' || i, i / 7.0, i from generate_series(1, 8) i;
    create function shout(body text) returns text language sql as 'select upper(body)';
    create function loud(body text) returns text language plpgsql as 'begin return shout(body); end';
    create view loud_reviews as select label, loud(body) as body from reviews;
    create sequence counter;
    delete from rafiki.family where task = 'sentiment';
    insert into rafiki.family (name, task, title, knobs) values
      ('fasttext', 'sentiment', 'fastText', '{
        "epochs": {"group": "training", "kind": "range", "dtype": "int", "min": 4, "max": 20, "log": false, "initial": 10},
        "learning_rate": {"group": "training", "kind": "range", "dtype": "float", "min": 0.001, "max": 0.05, "log": true, "initial": 0.01},
        "dim": {"group": "architecture", "kind": "categorical", "list": [16, 32], "initial": 16}}'),
      ('temporal_cnn', 'sentiment', 'temporal CNN', '{
        "epochs": {"group": "training", "kind": "range", "dtype": "int", "min": 2, "max": 8, "log": false, "initial": 5}}')`);
});
afterAll(() => database.drop());

const refusals: [what: string, args: string, code: string, says: RegExp, hints: RegExp][] = [
  ['an unknown task', `'sentimental', 'reviews'`, '42704', /task "sentimental" does not exist/, /: sentiment, /],
  ['no task', `null, 'reviews'`, '42704', /task "" does not exist/, /sentiment/],
  ['no source', `'sentiment', null`, '42P01', /not a relation/, /Name a table/],
  ['an empty table', `'sentiment', 'empty_table'`, 'P0002', /public.empty_table is empty/, /Load/],
  ['a sequence', `'sentiment', 'counter'`, '42809', /no rows to learn from; It is a sequence/, /a view/],
  ['an index', `'sentiment', 'reviews_pkey'`, '42809', /It is an index/, /a view/],
  [
    'a table without text',
    `'sentiment', 'numbers'`,
    '42703',
    /could|can be the text.*id integer, label integer/,
    /^Add it in a view: texts/,
  ],
  ['several texts', `'sentiment', 'two_texts'`, '42702', /Candidates: title, body/, /features => array\['title'\]/],
  ['several targets', `'sentiment', 'two_targets'`, '42702', /Candidates: stars, spam/, /target => 'stars'/],
  ['two features', `'sentiment', 'two_texts', features => '{title,body}'`, '0A000', /title, body/, /view/],
  ['a feature that is no text', `'sentiment', 'reviews', features => '{id}'`, '42804', /"id" has type integer/, /cast/],
  [
    'a label that is no label',
    `'sentiment', 'documents', target => 'label'`,
    '42804',
    /"label" has type jsonb/,
    /enum/,
  ],
  ['target = feature', `'sentiment', 'reviews', target => 'body', features => '{body}'`, '42701', /both/, /another/],
  ['an unknown column', `'sentiment', 'reviews', target => 'lable'`, '42703', /"lable" .* not exist/, /: label, /],
  ['one class', `'sentiment', 'one_class'`, '22000', /one class only; "label" is 'same' in all 8/, /two classes/],
  ['no labels', `'sentiment', 'no_labels'`, '22004', /no labelled row; In all of its 8 rows/, /labels/],
  ['rows < classes × 2', `'sentiment', 'all_different'`, '21000', /8 labelled rows have 8 different/, /more rows/],
  [
    'texts that are all alike',
    `'sentiment', 'alike'`,
    '22000',
    /all texts .* the same; "body" has one value in its 8/,
    /features =>/,
  ],
  [
    'two texts, repeated',
    `'sentiment', 'repeating'`,
    '21000',
    /repeats too few texts; Its 1000 labelled rows have 2 different values of "body", and no class has two/,
    /two different ones/,
  ],
  [
    'a task of numbers',
    `'regression', 'prices'`,
    '42704',
    /Numbers are predicted by the tasks tabular_regression/,
    /tabular_regression/,
  ],
  ['a number as label', `'sentiment', 'prices', target => 'price'`, '42804', /type double/, /width_bucket/],
  ['a number in whole cents', `'sentiment', 'prices', target => 'cents'`, '21000', /8 different/, /width_bucket/],
  [
    'a metric for numbers',
    `'sentiment', 'reviews', metric => 'rmse'`,
    '22023',
    /Numbers are predicted by the tasks tabular_regression/,
    /accuracy, macro_f1/,
  ],
  ['unknown weights', `'sentiment', 'reviews', class_weights => 'heavy'`, '22023', /cannot be "heavy"/, /Leave it out/],
  [
    'a function without a path of its own',
    `'sentiment', 'loud_reviews'`,
    '42883',
    /function shout\(text\) does not exist.*function public\.loud\(text\)/s,
    /set search_path = /,
  ],
  ['max_trials 0', `'sentiment', 'reviews', max_trials => 0`, '22023', /at least 1; It is 0/, /16/],
  [
    'a negative time',
    `'sentiment', 'reviews', max_time => '-1 min'`,
    '22023',
    /must be positive; It is -00:01/,
    /10 min/,
  ],
  ['validation 1', `'sentiment', 'reviews', validation => 1`, '22023', /between 0 and 1/, /0\.2/],
  ['a NaN target', `'sentiment', 'reviews', target_score => 'nan'`, '22023', /at most 1; It is NaN/, /0\.9/],
  ['a target in per cent', `'sentiment', 'reviews', target_score => 90`, '22023', /at most 1; It is 90/, /0\.9/],
  ['an empty name', `'sentiment', 'reviews', model => ' '`, '42602', /name is empty/, /<table>_<task>/],
  ['a long name', `'sentiment', 'reviews', model => repeat('x', 201)`, '42622', /201 characters/, /shorter/],
  [
    'an unknown advisor',
    `'sentiment', 'reviews', advisor => 'oracle'`,
    '22023',
    /"oracle" does not exist/,
    /bayesian, tpe/,
  ],
  ['no advisor', `'sentiment', 'reviews', advisor => null`, '22023', /advisor "" does not exist/, /random, grid/],
  ['an unknown family', `'sentiment', 'reviews', families => '{fastext}'`, '42704', /"fastext"/, /: fasttext, temp/],
  ['a null family', `'sentiment', 'reviews', families => array[null]`, '42704', /""/, /fasttext/],
  ['no families', `'sentiment', 'reviews', families => '{}'`, '22023', /is empty/, /fasttext, temporal_cnn/],
  ['knobs in a list', `'sentiment', 'reviews', knobs => '[]'`, '22023', /It is array/, /epochs/],
  ['no knobs', `'sentiment', 'reviews', knobs => null`, '22023', /It is null/, /epochs/],
  ['an unknown knob', `'sentiment', 'reviews', knobs => '{"epoch": 3}'`, '42704', /"epoch"/, /: epochs, /],
  ['a knob of text', `'sentiment', 'reviews', knobs => '{"epochs": "3"}'`, '42804', /take "3"; .* 4 … 20 int/, /Give/],
  ['a broken int', `'sentiment', 'reviews', knobs => '{"epochs": 4.5}'`, '42804', /take 4\.5/, /Give/],
  ['too much', `'sentiment', 'reviews', knobs => '{"learning_rate": 1}'`, '22003', /0\.05 float, log scale/, /Give/],
  ['no member', `'sentiment', 'reviews', knobs => '{"dim": {"list": [16, 17]}}'`, '22003', /one of 16, 32/, /Give/],
  ['an odd override', `'sentiment', 'reviews', knobs => '{"dim": {"min": 16}}'`, '42804', /one of 16, 32/, /Give/],
  [
    'a long list',
    `'sentiment', 'reviews', knobs => format('{"learning_rate": {"list": %s}}', array_to_json(array(select 0.001 + i / 1e5 from generate_series(1, 101) i)))::jsonb`,
    ...(['22023', /has too long a list; It has 101 different values; the maximum is 100/, /fewer values/] as const),
  ],
  [
    'a long label',
    `'sentiment', 'long_labels'`,
    '22001',
    /Key \(id\)=\(7\): "label" has 1001 characters.*the maximum is 1000/,
    /skip/,
  ],
  ['many classes', `'sentiment', 'many_classes'`, '54000', /10001 different values/, /rare classes/],
  ['wide classes', `'sentiment', 'wide_classes'`, '54000', /3000 different values of 1183 kB/, /rare classes/],
  ['an empty range', `'sentiment', 'reviews', knobs => '{"epochs": {"min": 9, "max": 8}}'`, '22003', /4 … 20/, /Give/],
  [
    'a knob of another family',
    `'sentiment', 'reviews', families => '{temporal_cnn}', knobs => '{"dim": 16}'`,
    '42704',
    /"dim"/,
    /: epochs/,
  ],
];

describe('rafiki_train refuses without leaving anything behind:', () => {
  test.each(refusals)('%s', async (_what, args, code, says, hints) => {
    const failure = await failureOf(db, `select rafiki_train(${args})`);
    expect(`${failure.message}; ${failure.detail}`).toMatch(says);
    expect(failure).toMatchObject({ code, hint: expect.stringMatching(hints) });
    expect(await db.query('select id from rafiki.study')).toEqual([]);
  });

  test('a missing table', async () => {
    expect(await failureOf(db, `select rafiki_train('sentiment', 'nowhere')`)).toMatchObject({ code: '42P01' });
  });

  test('a temporary table', async () => {
    const passing = db.transaction(async (tx) => {
      await tx.query('create temporary table passing2 as table reviews');
      await tx.query(`select rafiki_train('sentiment', 'passing2')`);
    });
    await expect(passing).rejects.toMatchObject({ code: '0A000', hint: expect.stringContaining('Copy it') });
  });
});

async function studyOf(args: string): Promise<Record<string, unknown> | undefined> {
  const sql = `select model, target, features::text[], knobs, advisor, owner::text, state, seed is not null as seeded
               from rafiki.study where id = rafiki_train(${args})`;
  // a function's row is not yet visible to the statement that calls it
  const [made] = await db.query<{ id: number }>(`select rafiki_train(${args}) as id`);
  const [study] = await db.query<Record<string, unknown>>(sql.replace(/rafiki_train\(.*\)/s, '$1'), [made?.id]);
  await db.query('delete from rafiki.study');
  return study;
}

describe('rafiki_train', () => {
  test('infers model name, text and label', async () => {
    expect(await studyOf(`'sentiment', 'reviews'`)).toEqual({
      model: 'reviews_sentiment',
      target: 'label',
      features: ['body'],
      knobs: {},
      advisor: 'bayesian',
      owner: 'postgres',
      state: 'queued',
      seeded: true,
    });
  });

  test('uses the only remaining column as the label, of any type', async () => {
    expect(await studyOf(`'sentiment', 'by_mood'`)).toMatchObject({ target: 'mood', features: ['body'] });
    expect(await studyOf(`'sentiment', 'two_targets', target => 'spam'`)).toMatchObject({ target: 'spam' });
  });

  test('uses the named columns', async () => {
    const args = `'sentiment', 'two_texts', features => array['body'], model => 'm', knobs => '{"epochs": {"min": 5}}'`;
    expect(await studyOf(args)).toMatchObject({ model: 'm', features: ['body'], knobs: { epochs: { min: 5 } } });
  });

  test('accepts a list with repeated values, 3,000 classes, and long labels if bad rows are skipped', async () => {
    const many = `format('{"learning_rate": {"list": %s}}', array_to_json(array_fill(0.01, array[5000])))::jsonb`;
    const study = await studyOf(`'sentiment', 'reviews', knobs => ${many}`);
    expect((study!['knobs'] as { learning_rate: { list: number[] } }).learning_rate.list).toHaveLength(5000);
    expect(await studyOf(`'sentiment', 'long_labels', on_bad_row => 'skip'`)).toMatchObject({ target: 'label' });
    await db.query(`create view three_thousand as select body, label % 3000 as label from many_classes`);
    expect(await studyOf(`'sentiment', 'three_thousand'`)).toMatchObject({ target: 'label' });
  });

  test('accepts a knob value that is valid for one of the families', async () => {
    expect(await studyOf(`'sentiment', 'reviews', knobs => '{"epochs": 3}'`)).toMatchObject({ knobs: { epochs: 3 } });
    const failure = await failureOf(
      db,
      `select rafiki_train('sentiment', 'reviews', families => '{fasttext}', knobs => '{"epochs": 3}')`,
    );
    expect(failure).toMatchObject({ code: '22003' });
  });

  test('accepts every advisor of the registry', async () => {
    for (const { name } of advisors)
      expect(await studyOf(`'sentiment', 'reviews', advisor => '${name}'`)).toMatchObject({ advisor: name });
  });

  test('refuses a model that is in training, until that study has ended', async () => {
    const [study] = await db.query<{ id: number }>(`select rafiki_train('sentiment', 'reviews') as id`);
    const failure = await failureOf(db, `select rafiki_train('sentiment', 'reviews')`);
    expect(failure).toMatchObject({ code: '55006', hint: expect.stringContaining(`rafiki_cancel(${study?.id})`) });
    await db.query(`update rafiki.study set state = 'cancelled', ended_at = now()`);
    await db.query(`select rafiki_train('sentiment', 'reviews')`);
    await db.query('delete from rafiki.study');
  });
});
