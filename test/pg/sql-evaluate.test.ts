import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { averagePrecision, type Detection } from '../../src/domain/average-precision.ts';
import { readInputs } from '../../src/protocol/input-array.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { reply, ScriptedBridge } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';

let database: TestDatabase;
let db: Database;
let bridge: ScriptedBridge;

/**
 * A model that says of each text its first letter, and of each image its number of bytes; in details with a probability of 0.8, the rest
 * evenly over a, b and c.
 */
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  bridge = new ScriptedBridge();
  bridge.answer = (fields) => {
    const inputs = readInputs(fields.at(-1) ?? '');
    const say = (input: string): string =>
      /[AB]/.test(fields[0] ?? '') ? input.slice(0, 1) : String(atob(input).length);
    if (fields[0] === 'B') {
      const detail = (label: string): string => {
        const probabilities = Object.fromEntries(['a', 'b', 'c'].map((each) => [each, each === label ? 0.8 : 0.1]));
        return JSON.stringify(JSON.stringify({ label, probabilities }));
      };
      return reply(`{${inputs.map((input) => (input === null ? 'NULL' : detail(say(input)))).join()}}`);
    }
    return reply(`{${inputs.map((input) => (input === null ? 'NULL' : `"${say(input)}"`)).join()}}`);
  };
  await bridge.listen({ announceTo: db });
  await db.query(`insert into rafiki.model (name, task, owner) values
    ('letters', 'text_classification', current_user::regrole), ('sizes', 'image_classification', current_user::regrole),
    ('finder', 'object_detection', current_user::regrole)`);
  await db.query('create table words (id int, label text, word text)');
  await db.query(`insert into words values
    (1, 'a', 'apple'), (2, 'a', 'ant'), (3, 'b', 'ape'), (4, 'b', 'bee'), (5, 'c', 'bat'), (6, null, 'cat'), (7, 'c', null)`);
  await db.query(
    `create table photos as select i as id, decode(repeat('ab', i), 'hex') as image from generate_series(1, 3) i`,
  );
});
afterEach(async () => {
  await database.drop();
  await bridge.stop();
});

const grantTo = (role: string): Promise<unknown> =>
  db.query(
    `insert into rafiki.model_grant (model_id, role, owner)
     select m.id, r.oid::regrole, m.owner from rafiki.model m, pg_roles r where r.rolname like $1 || '%' || current_database()`,
    [role],
  );

describe('rafiki_evaluate and rafiki_confusion', () => {
  const evaluate = `rafiki_evaluate('letters', 'words', feature => 'word', target => 'label')`;

  test('count the predictions of labelled rows', async () => {
    expect(await db.query(`select * from rafiki_confusion('letters', 'words', 'label', 'word')`)).toEqual([
      { actual: 'a', predicted: 'a', row_count: 2 },
      { actual: 'b', predicted: 'a', row_count: 1 },
      { actual: 'b', predicted: 'b', row_count: 1 },
      { actual: 'c', predicted: 'b', row_count: 1 },
    ]);
    // F1: a 4/5, b 2/4, c 0
    expect(await db.query(`select metric, round(value::numeric, 4)::float8 as value from ${evaluate}`)).toEqual([
      { metric: 'rows', value: 5 },
      { metric: 'accuracy', value: 0.6 },
      { metric: 'macro_f1', value: 0.4333 },
    ]);
  });

  test('score 0 if no prediction is right', async () => {
    await db.query(`update words set label = 'x' where label is not null`);
    expect(await db.query(`select value from ${evaluate} where metric in ('accuracy', 'macro_f1')`)).toEqual([
      { value: 0 },
      { value: 0 },
    ]);
  });

  test('measure probabilities, as scikit-learn does', async () => {
    await deploy(['a', 'b', 'c']);
    const rows = await db.query<{ metric: string; value: number; low: number | null; high: number | null }>(
      `select * from ${evaluate} offset 3`,
    );
    const [auc, loss, calibration] = rows;
    // sklearn 1.6: roc_auc_score(['a', 'a', 'b', 'b', 'c'], p, multi_class='ovr') of p = 0.8 for a, a, a, b, b
    expect(auc).toEqual({ metric: 'auc', value: expect.closeTo((5 / 6 + 7 / 12 + 0.5) / 3), low: null, high: null });
    const mean = -(3 * Math.log(0.8) + 2 * Math.log(0.1)) / 5;
    const spread = Math.log(8) * Math.sqrt(0.3); // of three losses and two others: the sample standard deviation
    expect(loss).toMatchObject({ metric: 'log_loss', value: expect.closeTo(mean) });
    expect(loss?.high).toBeCloseTo(mean + (1.959964 * spread) / Math.sqrt(5));
    expect(calibration).toMatchObject({ metric: 'calibration_error', value: expect.closeTo(0.2) }); // three of five are right
  });

  /** Lets the model answer with a version of these classes, trained on these texts. */
  async function deploy(classes: string[], trained: string[] = []): Promise<void> {
    await db.query(
      `with study as (
         insert into rafiki.study (owner, task, source, model, target, features, max_trials, max_time, validation, seed, state, version)
         values (current_user::regrole, 'text_classification', 'words', 'letters', 'label', '{word}', 1, '1 min', 0.2, 1, 'completed', 1)
         returning id),
       trial as (insert into rafiki.trial (study_id, number, family, knobs, seed, state, validation_hash)
                 select id, 1, 'f', '{}', 1, 'completed', '\\x01' from study returning id),
       validated as (insert into rafiki.validation (study_id, hash, classes, labels, trained)
                     select id, '\\x01', $1, '', array(select rafiki._input_hash(t) from unnest($2::text[]) t order by 1) from study),
       params as (insert into rafiki.params (kind, meta) values ('model', '') returning id),
       version as (insert into rafiki.model_version (model_id, version, study_id, score, classes)
                   select m.id, 1, s.id, 1, $1 from rafiki.model m, study s where m.name = 'letters' returning *),
       member as (insert into rafiki.model_member (version_id, rank, trial_id, family, score, params_id)
                  select v.id, 0, t.id, 'f', 1, p.id from version v, trial t, params p)
       insert into rafiki.deployment (model_id, version_id, state) select model_id, id, 'ready' from version`,
      [classes, trained],
    );
  }

  /** What is noticed, and the metrics. */
  async function evaluated(sql: string): Promise<{ notices: string[]; metrics: Record<string, number> }> {
    const session = await db.connect(() => undefined);
    const notices: string[] = [];
    session.onNotice((notice) => notices.push(notice));
    try {
      const rows = await session.query<{ metric: string; value: number }>(`select metric, value from ${sql}`);
      return { notices, metrics: Object.fromEntries(rows.map(({ metric, value }) => [metric, value])) };
    } finally {
      await session.close();
    }
  }

  test('show how many rows were trained on, and the score on the others', async () => {
    await deploy(['a', 'b', 'c'], ['apple', 'ant', 'bee']);
    const { notices, metrics } = await evaluated(evaluate);
    expect(notices).toEqual(['model "letters" was trained on 3 of these 5 rows']);
    expect(metrics).toMatchObject({
      rows: 5,
      accuracy: 0.6,
      rows_trained_on: 3,
      accuracy_unseen: 0,
      macro_f1_unseen: 0,
      log_loss_unseen: expect.closeTo(-Math.log(0.1)),
      calibration_error_unseen: expect.closeTo(0.8),
    });
    await grantTo('mallory');
    const mallory = await database.as('mallory');
    await db.query('grant select on words to public');
    await grantTo('mallory');
    expect(await mallory.query(`select metric from ${evaluate}`)).toEqual([
      ...['rows', 'accuracy', 'macro_f1', 'auc', 'log_loss', 'calibration_error'].map((metric) => ({ metric })),
    ]);
  });

  test('refuse unknown labels, and report if only some are known', async () => {
    await deploy(['a', 'b']);
    expect((await evaluated(evaluate)).notices).toEqual([
      '1 of 5 rows have a label that model "letters" does not know',
    ]);
    await db.query('alter table words add number int');
    await db.query('update words set number = id % 2');
    expect(
      await failureOf(db, `select * from rafiki_evaluate('letters', 'words', target => 'number', feature => 'word')`),
    ).toMatchObject({
      ...{ code: '22000', message: 'no label of public.words is a class of model "letters"' },
      detail: 'Labels: "0", "1". The model answers with "a", "b".',
    });
  });

  test('have intervals, and take temporary tables', async () => {
    const session = await db.connect(() => undefined);
    await session.query('create temporary table mine as table words');
    const [row] = await session.query<{ value: number; low: number; high: number }>(
      `select value, low, high from rafiki_evaluate('letters', 'mine', 'label', 'word') where metric = 'accuracy'`,
    );
    await session.close();
    expect(row?.value).toBe(0.6);
    expect(row?.low).toBeCloseTo(0.2307, 4); // 3 of 5 by Wilson
    expect(row?.high).toBeCloseTo(0.8824, 4);
    expect(
      await failureOf(db, `select * from rafiki_evaluate('letters', 'words', 'label', 'word', 0.5)`),
    ).toMatchObject({
      code: '22023',
    });
  });

  test('refuse a source without labelled rows', async () => {
    await db.query('delete from words where label is not null and word is not null');
    await db.query('create table shelf (image bytea, boxes jsonb)');
    const report = `rafiki_class_report('letters', 'words', feature => 'word', target => 'label')`;
    for (const [sql, table] of [
      [evaluate, 'words'],
      [report, 'words'],
      [`rafiki_evaluate('finder', 'shelf')`, 'shelf'],
    ])
      expect(await failureOf(db, `select * from ${sql}`)).toMatchObject({
        ...{ code: 'P0002', message: `public.${table} has no row with a label and an input` },
        hint: expect.stringContaining('target =>'),
      });
  });

  test('send requests in parts, with a long budget, whatever the settings', async () => {
    await db.query(`insert into words select i, 'w', 'w' || i from generate_series(10, 5009) i`);
    const session = await db.connect(() => undefined);
    await session.query(`set rafiki.latency_budget = '1ms'; set rafiki.on_overdue = 'null'`);
    expect(await session.query(`select value from ${evaluate} where metric = 'rows'`)).toEqual([{ value: 5005 }]);
    await session.close();
    expect(bridge.requests.map(([verb, , , ...terms]) => [verb, ...terms.slice(0, 2)])).toEqual(
      new Array(3).fill(['A', '1h', 'answer']),
    );
  });

  test('accept tables of long texts, whose bytes count, not their characters', async () => {
    await db.query(`insert into words select i, '好', repeat('好看的电影', 300) || i from generate_series(10, 3009) i`);
    expect(await db.query(`select value from ${evaluate} where metric = 'rows'`)).toEqual([{ value: 3005 }]);
    const query = `select id, word from words where id >= 10`;
    expect(
      await db.query(`select prediction, count(*) from rafiki_predict_query('letters', $1) group by 1`, [query]),
    ).toEqual([{ prediction: '好', count: 3000 }]);
  });

  test("use the columns of the model's own study, and infer others as rafiki_train does", async () => {
    await db.query(`alter table words add title text`);
    expect((await failureOf(db, `select rafiki_evaluate('letters', 'words')`)).code).toBe('42702');
    await db.query(`with s as (insert into rafiki.study (owner, task, source, model, target, features, max_trials, max_time, validation, seed, state, version)
      values (current_user::regrole, 'text_classification', 'words', 'letters', 'label', '{word}', 1, '1 min', 0.2, 1, 'completed', 1) returning id)
      insert into rafiki.model_version (model_id, version, study_id, score, classes)
      select m.id, 1, s.id, 1, '{a,b,c}' from s, rafiki.model m where m.name = 'letters'`);
    expect(await db.query(`select value from rafiki_evaluate('letters', 'words') where metric = 'accuracy'`)).toEqual([
      { value: 0.6 },
    ]);
    await db.query(`create table others (sort text, body text)`);
    await db.query(`insert into others values ('x', 'xylophone')`);
    expect(await db.query(`select value from rafiki_evaluate('letters', 'others', target => 'sort')`)).toHaveLength(3);
  });

  test('raise errors with hints', async () => {
    expect((await failureOf(db, `select rafiki_evaluate('leters', 'words')`)).hint).toContain('letters');
    expect((await failureOf(db, `select rafiki_evaluate('sizes', 'words')`)).code).toBe('42703');
    expect(await failureOf(db, `select rafiki_confusion('finder', 'photos', 'id', 'image')`)).toMatchObject({
      code: '42804',
    });
  });

  test('measure average precision as trials are scored', async () => {
    const rng = createRng(7);
    const some = (max: number): number => Math.floor(rng.uniform() * (max + 1));
    const box = () => ({ label: some(2), x: some(20), y: some(20), w: 4 + some(10), h: 4 + some(10) });
    for (let round = 0; round < 10; round++) {
      const objects = Array.from({ length: 12 }, () => Array.from({ length: some(4) }, box));
      const found: Detection[][] = objects.map((boxes) => [
        ...boxes.flatMap((one) => (rng.uniform() < 0.8 ? [{ ...one, x: one.x + some(2), score: rng.uniform() }] : [])),
        ...Array.from({ length: some(3) }, () => ({ ...box(), score: rng.uniform() })),
      ]);
      const named = (boxes: { label: number }[]) => boxes.map((one) => ({ ...one, label: `class ${one.label}` }));
      const images = objects.map((boxes, i) => ({ objects: named(boxes), found: named(found[i] ?? []) }));
      const rows = await db.query<{ label: string; overlap: number; value: number }>(
        'select label, min_overlap as overlap, value from rafiki._average_precisions($1)',
        [JSON.stringify(images)],
      );
      for (const { label, overlap, value } of rows)
        expect(value).toBeCloseTo(
          averagePrecision(found, objects, { label: Number(label.slice(6)), overlap }) ?? -1,
          9,
        );
    }
  });

  test('measure object detection', async () => {
    const box = { label: 'apple', x: 0, y: 0, w: 10, h: 10 };
    await db.query('create table shelf (image bytea, boxes jsonb)');
    await db.query(`insert into shelf values ('\\x00', $1), ('\\x00', '[]')`, [
      JSON.stringify([box, { ...box, label: 'pear', x: 50 }]),
    ]);
    bridge.answer = () => reply(JSON.stringify({ boxes: [{ ...box, w: 14, score: 0.2 }] })); // overlap 10/14
    expect(await db.query(`select metric, value from rafiki_evaluate('finder', 'shelf') order by metric`)).toEqual([
      { metric: 'ap50:apple', value: 1 },
      { metric: 'ap50:pear', value: 0 },
      { metric: 'ap75', value: 0 },
      { metric: 'map50', value: 0.5 },
      { metric: 'rows', value: 2 },
    ]);
  });
});

describe('rafiki_predict_query', () => {
  test('predicts each row of a query, with the search path of the caller', async () => {
    const session = await db.connect(() => undefined);
    await session.query(
      `create schema mine; create table mine.own as select 1 as n, 'zebra'::varchar as animal; set search_path = mine, public`,
    );
    expect(await session.query(`select * from rafiki_predict_query('letters', 'select * from own;')`)).toEqual([
      { row: { n: 1, animal: 'zebra' }, prediction: 'z' },
    ]);
    await session.close();
    expect(
      await db.query(
        `select prediction from rafiki_predict_query('letters', 'select word from words order by id -- all')`,
      ),
    ).toEqual(['a', 'a', 'a', 'b', 'b', 'c', null].map((prediction) => ({ prediction })));
  });

  test('refuses NULL', async () => {
    for (const call of [
      `rafiki_predict_query('letters', null)`,
      `rafiki_predict_query('letters', null, with_probabilities => true)`,
      `rafiki_predict_columns('letters', null) as t (a text)`,
    ])
      expect(await failureOf(db, `select * from ${call}`)).toMatchObject({
        ...{ code: '22004', message: 'query must not be null' },
      });
    expect(await failureOf(db, `select * from rafiki_predict_query(null, 'table words')`)).toMatchObject({
      ...{ code: '22004', message: 'model must not be null' },
    });
  });

  test('leaves images out of the rows', async () => {
    expect(
      await db.query(`select * from rafiki_predict_query('sizes', 'select * from photos order by id desc limit 2')`),
    ).toEqual([
      { row: { id: 3 }, prediction: '3' },
      { row: { id: 2 }, prediction: '2' },
    ]);
  });

  test("uses the only column of the model's input type, or the one named, and checks this before it runs the query", async () => {
    const failure = await failureOf(
      db,
      `select * from rafiki_predict_query('letters', 'select label, word from words, pg_sleep(100)')`,
    );
    expect(failure).toMatchObject({
      code: '42702',
      detail: expect.stringContaining('word text'),
      hint: expect.stringContaining('input =>'),
    });
    expect((await failureOf(db, `select * from rafiki_predict_query('sizes', 'table words')`)).code).toBe('42703');
    expect(
      (await failureOf(db, `select * from rafiki_predict_query('letters', 'table words', input => 'id')`)).code,
    ).toBe('42703');
    const named = `rafiki_predict_query('letters', 'select label, word from words where id = 3', input => 'label')`;
    expect(await db.query(`select prediction from ${named}`)).toEqual([{ prediction: 'b' }]);
  });

  test('has the rights of the caller', async () => {
    const mallory = await database.as('mallory');
    await grantTo('mallory');
    expect(
      (await failureOf(mallory, `select * from rafiki_predict_query('letters', 'select word from words')`)).code,
    ).toBe('42501');
    expect((await failureOf(mallory, `select rafiki_evaluate('letters', 'words')`)).code).toBe('42501');
  });
});

test('rafiki_export gives the owner the ONNX file of the deployed version, of an ensemble the best member', async () => {
  const file = Buffer.from('an onnx file');
  expect((await failureOf(db, `select rafiki_export('letters')`)).code).toBe('42704');
  await db.query(
    `with version as (insert into rafiki.model_version (model_id, version, score, classes)
                      select id, 1, 1, '{}' from rafiki.model where name = 'letters' returning *),
          deployed as (insert into rafiki.deployment (model_id, version_id, state) select model_id, id, 'ready' from version),
          params as (insert into rafiki.params (kind, meta) select 'model', '' from generate_series(1, 2) returning id),
          blob as (insert into rafiki.blob values ('\\x01', '\\xaabb'::bytea || $1), ('\\x02', 'other')),
          tensor as (insert into rafiki.params_tensor (params_id, name, dtype, shape, hash)
                     select id, 'model.onnx', 'uint8', array[case when id = (select min(id) from params) then $2::int else 5 end],
                            case when id = (select min(id) from params) then '\\x01'::bytea else '\\x02' end from params)
     insert into rafiki.model_member (version_id, rank, family, score, params_id)
     select v.id, p.id - (select min(id) from params), 'f', 1, p.id from version v, params p`,
    [file, file.length],
  );
  const [exported] = await db.query<{ onnx: Buffer }>(`select rafiki_export('letters') as onnx`);
  expect(exported?.onnx.subarray(0, file.length)).toEqual(file);
  const described = exported?.onnx.toString('latin1') ?? '';
  for (const part of ['rafiki.model', '"variant_of"', 'rafiki.params.0', 'rafiki.params.1', 'rafiki.blob.02'])
    expect(described).toContain(part);
  await db.query(
    `with kept as (insert into rafiki.object (hash) values ('\\x01') returning id)
     update rafiki.blob set data = null, object_id = kept.id from kept where hash = '\\x01'`,
  );
  const failure = await failureOf(db, `select rafiki_export('letters')`);
  expect(failure).toMatchObject({ code: '0A000', detail: expect.stringMatching(/^As 01\/[0-9a-f-]{36}, under/) });
  const mallory = await database.as('mallory');
  await grantTo('mallory');
  expect(await failureOf(mallory, `select rafiki_export('letters')`)).toMatchObject({ code: '42501' });
  const direct = `select w.* from rafiki.model_access m, rafiki._read_weights((m.key #>> '{}')::uuid) w`; // a key, not the owner's
  expect(await mallory.query(direct)).toEqual([]);
});
