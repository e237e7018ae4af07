import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { readInputs } from '../../src/protocol/input-array.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { reply, ScriptedBridge } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';

let database: TestDatabase;
let db: Database;
let bridge: ScriptedBridge;

/** A model that knows the classes a, b and c: a text's first letter is the answer, and its number the percentage. */
const detail = (text: string) => {
  const label = text.slice(0, 1);
  const sure = Number(text.slice(1)) / 100;
  const others = ['a', 'b', 'c'].filter((each) => each !== label);
  const [first = '', second = ''] = others;
  const rest = 1 - sure;
  return { label, probabilities: { [label]: sure, [first]: rest * 0.75, [second]: rest * 0.25 }, versions: [1] };
};
const literal = (values: (string | null)[]): string =>
  `{${values.map((value) => (value === null ? 'NULL' : JSON.stringify(value))).join()}}`;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  bridge = new ScriptedBridge();
  bridge.answer = ([verb = '', ...fields]) => {
    const input = fields.at(-1) ?? '';
    const read = (text: string): string => (verb === verb.toLowerCase() ? atob(text) : text);
    if (/d/i.test(verb)) return reply(JSON.stringify(detail(read(input))));
    if (/[np]/i.test(verb)) return reply(detail(read(input)).label);
    const texts = readInputs(input).map((text) => (text === null ? null : detail(read(text))));
    return reply(literal(texts.map((each) => each && (/b/i.test(verb) ? JSON.stringify(each) : each.label))));
  };
  await bridge.listen({ announceTo: db });
  await db.query(`insert into rafiki.model (name, task, owner) values
    ('letters', 'text_classification', current_user::regrole), ('pictures', 'image_classification', current_user::regrole),
    ('finder', 'object_detection', current_user::regrole)`);
});
afterEach(async () => {
  await database.drop();
  await bridge.stop();
});

const ask = async (expression: string): Promise<unknown> =>
  (await db.query<{ v: unknown }>(`select ${expression} as v`))[0]?.v;
const verbs = (): (string | undefined)[] => bridge.requests.map(([verb]) => verb);

describe('details and probabilities', () => {
  test('of an array take one request, in order, null for null', async () => {
    const details = `rafiki_predict_detail('letters', array['a90', null, 'b60'])`;
    expect(await ask(`to_jsonb(${details})`)).toMatchObject([{ label: 'a', versions: [1] }, null, { label: 'b' }]);
    expect(await ask(`to_jsonb(rafiki_probabilities('letters', array['a90', null, 'c50']))`)).toMatchObject([
      { a: 0.9 },
      null,
      { c: 0.5 },
    ]);
    expect(verbs()).toEqual(['B', 'B']);
    bridge.requests = [];
    expect(await ask(`rafiki_probabilities('letters', null::text[])`)).toBeNull();
    expect(await ask(`to_jsonb(rafiki_predict_detail('letters', array[null]::text[]))`)).toEqual([null]);
    expect(bridge.requests).toEqual([]);
    expect((await failureOf(db, `select rafiki_predict_detail('letters', array[['a'], ['b']])`)).code).toBe('2202E');
  });

  test('of one input, and of images', async () => {
    expect(await ask(`rafiki_probabilities('letters', 'a80')`)).toMatchObject({ a: 0.8 });
    expect(await ask(`rafiki_probabilities('letters', null)`)).toBeNull();
    expect(await ask(`rafiki_probabilities('pictures', 'b70'::bytea)`)).toMatchObject({ b: 0.7 });
    expect(await ask(`to_jsonb(rafiki_probabilities('pictures', array['b70'::bytea, null]))`)).toMatchObject([
      { b: 0.7 },
      null,
    ]);
    expect(await ask(`rafiki_predict_detail('pictures', array['b70'::bytea])::text`)).toContain('label');
    expect(verbs()).toEqual(['D', 'd', 'b', 'b']);
  });

  test('are requested in parts, the smaller the more classes there are', async () => {
    await db.query(`insert into rafiki.model_version (model_id, version, score, classes)
      select id, 1, 1, array(select repeat('x', 90) || i from generate_series(1, 4000) i) from rafiki.model where name = 'letters'`);
    expect(
      await ask(`cardinality(rafiki_probabilities('letters', array(select 'a9' from generate_series(1, 30))))`),
    ).toBe(30);
    expect(bridge.requests.map((fields) => readInputs(fields.at(-1) ?? '').length)).toEqual([9, 9, 9, 3]);
  });

  test('are refused for detectors', async () => {
    for (const call of [
      `rafiki_probabilities('finder', ''::bytea)`,
      `rafiki_predict('finder', ''::bytea, threshold => 0.5)`,
      `rafiki_predict_top('finder', ''::bytea)`,
    ])
      expect(await failureOf(db, `select ${call}`)).toMatchObject({
        code: '42809',
        hint: expect.stringContaining('rafiki_detect'),
      });
  });
});

describe('rafiki_predict_top', () => {
  test('gives the most probable classes as rows', async () => {
    expect(await db.query(`select * from rafiki_predict_top('letters', 'b60', 2)`)).toEqual([
      { rank: 1, label: 'b', probability: 0.6 },
      { rank: 2, label: 'a', probability: expect.closeTo(0.3) },
    ]);
    expect(await db.query(`select label from rafiki_predict_top('pictures', 'c60'::bytea)`)).toHaveLength(3);
    expect(await db.query(`select * from rafiki_predict_top('letters', null)`)).toEqual([]);
  });

  test('has the index of each input of an array', async () => {
    expect(
      await db.query(`select place::int, label from rafiki_predict_top('letters', array['b60', null, 'c50'], 1)`),
    ).toEqual([
      { place: 1, label: 'b' },
      { place: 3, label: 'c' },
    ]);
  });

  test("begins with the label of rafiki_predict, even if the mean of an ensemble's probabilities prefers another", async () => {
    expect(await db.query(`select rank, label from rafiki_predict_top('letters', 'c10', 2)`)).toEqual([
      { rank: 1, label: 'c' },
      { rank: 2, label: 'a' },
    ]);
  });

  test.each(['0', 'null'])('refuses k = %s', async (k) => {
    expect(await failureOf(db, `select * from rafiki_predict_top('letters', 'x', ${k})`)).toMatchObject({
      code: '22023',
    });
  });
});

describe('a threshold', () => {
  test.each([
    [`'letters', 'a95', threshold => .9`, 'a'],
    [`'letters', 'a90', .9`, 'a'],
    [`'letters', 'a80', threshold => .9`, null],
    [`'letters', 'a80', threshold => .9, otherwise => 'unsure'`, 'unsure'],
    [`'letters', null::text, threshold => .9, otherwise => 'unsure'`, null],
    [`'letters', array['a95', 'b10', null], threshold => .9, otherwise => 'unsure'`, ['a', 'unsure', null]],
    [`'letters', array['a95', 'b10'], threshold => .9`, ['a', null]],
    [`'pictures', 'b10'::bytea, threshold => .9, otherwise => 'unsure'`, 'unsure'],
    [`'pictures', array['b95'::bytea, 'b10'], threshold => .9`, ['b', null]],
  ])('leaves out what is not sure: (%s)', async (args, expected) => {
    expect(await ask(`rafiki_predict(${args})`)).toEqual(expected);
  });

  test('keeps an untyped literal as the budget', async () => {
    for (const [args, verb] of [
      [`'letters', 'a1', '250 ms'`, 'N'],
      [`'letters', array['a1'], '250 ms'`, 'A'],
      [`'pictures', 'a1'::bytea, '250 ms'`, 'n'],
      [`'pictures', array['a1'::bytea], budget => '250 ms'`, 'a'],
    ]) {
      bridge.requests = [];
      expect(await ask(`rafiki_predict(${args})::text`)).toMatch(/a/);
      expect([verbs(), bridge.requests[0]?.[3]]).toEqual([[verb], expect.stringMatching(/^250\.0+ms$/)]);
    }
    expect((await failureOf(db, `select rafiki_predict('letters', 'a1', 'soon')`)).code).toBe('22007');
  });

  test('is not taken for a budget if it has neither a name nor a type', async () => {
    for (const args of [
      `'letters', 'a1'`,
      `'letters', array['a1']`,
      `'pictures', 'a1'::bytea`,
      `'pictures', array['a1'::bytea]`,
      `'letters', '{}'::jsonb`,
    ])
      for (const given of [0.9, ' 5 ', '.5e-1'])
        expect(await failureOf(db, `select rafiki_predict(${args}, $1)`, [given])).toMatchObject({
          ...{
            code: '22023',
            message: 'a latency budget needs a unit',
            hint: expect.stringContaining('threshold => 0.9'),
          },
        });
    expect(bridge.requests).toEqual([]);
    for (const budget of ['5s', '00:00:05', null])
      expect(await db.query(`select rafiki_predict('letters', 'a1', $1) as v`, [budget])).toEqual([{ v: 'a' }]);
  });

  test.each(['1.1', '-0.1', 'null', `'NaN'::float8`])('cannot be %s', async (threshold) => {
    const failure = await failureOf(db, `select rafiki_predict('letters', 'a1', threshold => ${threshold})`);
    expect(failure).toMatchObject({ code: '22023', hint: expect.stringContaining('0.9') });
  });
});

describe('queries', () => {
  beforeEach(() =>
    db.query(`create table words as
      select 1 as id, 'a90'::text as word, 1.50::numeric(10, 2) as price, '2026-01-01'::timestamptz as seen, '{"b": 1,  "a": 2}'::json as "Some thing"
      union all select 2, 'b60', null, null, null union all select 3, null, 3, null, null`),
  );

  test('return probabilities with the labels', async () => {
    const call = (flag: boolean): string =>
      `select row ->> 'id' as id, prediction, probabilities -> 'a' as a
       from rafiki_predict_query('letters', 'select id, word from words order by id', with_probabilities => ${flag})`;
    expect(await db.query(call(true))).toEqual([
      { id: '1', prediction: 'a', a: 0.9 },
      { id: '2', prediction: 'b', a: expect.closeTo(0.3) },
      { id: '3', prediction: null, a: null },
    ]);
    expect((await db.query<{ a: null }>(call(false))).map(({ a }) => a)).toEqual([null, null, null]);
    expect(
      await db.query(`select prediction from rafiki_predict_query('letters', 'table words', 'word')`),
    ).toHaveLength(3);
  });

  test('return their own columns, every value unchanged', async () => {
    const columns = `(id int, word text, price numeric, seen timestamptz, "Some thing" json, prediction text)`;
    const rows = await db.query(
      `select * from rafiki_predict_columns('letters', 'table words;', 'word') as t ${columns}`,
    );
    const expected = await db.query(`select *, left(word, 1) as prediction from words order by id`);
    expect(rows).toEqual(expected);
    expect(
      await db.query(`select prediction, p -> 'b' as b from rafiki_predict_columns(
        'letters', 'select word from words order by id', with_probabilities => true) as t (word text, prediction text, p jsonb)`),
    ).toEqual([
      { prediction: 'a', b: expect.closeTo(0.075) },
      { prediction: 'b', b: 0.6 },
      { prediction: null, b: null },
    ]);
  });

  test('raise errors about the query', async () => {
    const query = `select * from rafiki_predict_columns('letters', 'select id, id, word from words') as t (a int, b int, c text, d text)`;
    expect(await failureOf(db, query)).toMatchObject({ code: '42701', hint: expect.stringContaining('"as"') });
    await db.query('create table photos (id int, image bytea)');
    const objects = `select * from rafiki_predict_query('finder', 'table photos', with_probabilities => true)`;
    expect((await failureOf(db, objects)).code).toBe('42809');
  });
});
