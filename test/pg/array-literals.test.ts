import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { readInputs } from '../../src/protocol/input-array.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';
import { reply, ScriptedBridge } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';

/** Drivers that pass a list without a type: PostgreSQL takes it for a text, whatever other forms there are. */
let database: TestDatabase;
let session: Database;
let bridge: ScriptedBridge;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await database.as('alice');
  bridge = new ScriptedBridge();
  await bridge.listen({ announceTo: database.db });
  await database.db.query(`insert into rafiki.model (name, task, owner)
                           select 'm', 'sentiment', oid::regrole from pg_roles where rolname like 'alice_' || current_database()`);
});
beforeEach(async () => {
  bridge.requests = [];
  bridge.answer = (fields) =>
    fields[0] === 'A'
      ? reply(
          `{${readInputs(fields.at(-1) ?? '')
            .map((text) => JSON.stringify(`<${text}>`))
            .join()}}`,
        )
      : fields[0] === 'D'
        ? reply('{}')
        : reply(`<${fields.at(-1)}>`);
  await session.query('reset rafiki.array_literals');
});
afterAll(async () => {
  await database.drop();
  await bridge.stop();
});

const LIST = ['great', 'an "awful" one, {indeed}', 'back\\slash', ''];

describe('a list without a type', () => {
  test.each([
    `rafiki_predict('m', $1)`,
    `rafiki_predict('m', $1, threshold => 0.9)`,
    `rafiki_predict('m', $1, '250 ms')`,
    `rafiki_predict_detail('m', $1)`,
    `rafiki_probabilities('m', $1)`,
    `rafiki_predict_top('m', $1)`,
  ])('is no text to %s', async (call) => {
    expect(await failureOf(session, `select ${call}`, [LIST])).toEqual({
      code: '42804',
      message: 'a list was given as one text',
      detail: expect.stringContaining('It is {"great","an \\"awful\\" one, {indeed}","back\\\\slash",""}.'),
      hint: expect.stringMatching(/\$2::text\[\].*rafiki_predict_many\(model, \$2\).*set rafiki\.array_literals = on;/),
    });
    expect(bridge.requests).toEqual([]);
  });

  test('is accepted by rafiki_predict_many, and with a type by rafiki_predict', async () => {
    const labels = LIST.map((text) => `<${text}>`);
    for (const call of [`rafiki_predict_many('m', $1)`, `rafiki_predict('m', $1::text[])`]) {
      expect(await session.query(`select ${call} as v`, [LIST])).toEqual([{ v: labels }]);
    }
    expect(await session.query(`select rafiki_predict_many('m', $1) as v`, [['a', null]])).toEqual([
      { v: ['<a>', null] },
    ]);
    expect(await session.query(`select rafiki_predict_many('m', null) as v`)).toEqual([{ v: null }]);
    await session.query(`select rafiki_predict_many('m', $1, $2)`, [['a'], '250 ms']);
    expect(bridge.requests.at(-1)?.[3]).toMatch(/^250\.0+ms$/);
  });

  test('may be empty', async () => {
    expect(await failureOf(session, `select rafiki_predict('m', '{}')`)).toMatchObject({
      ...{ code: '42804', hint: expect.stringContaining('rafiki_predict_many') },
    });
    for (const call of [`rafiki_predict_many('m', '{}')`, `rafiki_predict('m', '{}'::text[])`])
      expect(await session.query(`select ${call} as v`)).toEqual([{ v: [] }]);
    expect(bridge.requests).toEqual([]);
  });

  test('is accepted as a text with the setting', async () => {
    await session.query('set rafiki.array_literals = on');
    expect(await session.query(`select rafiki_predict('m', $1) as v`, ['{a,b}'])).toEqual([{ v: '<{a,b}>' }]);
    await session.query(`set rafiki.array_literals = 'perhaps'`);
    expect((await failureOf(session, `select rafiki_predict('m', '{a,b}')`)).code).toBe('22023');
  });

  test('in a nondeterministic collation is detected, too', async () => {
    await database.db.query(
      `create collation if not exists public.blurred (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    );
    const failure = await failureOf(session, `select rafiki_predict('m', '{a,b}' collate public.blurred)`);
    expect(failure.code).toBe('42804');
  });
});

test.each([
  '{a,b}',
  '{"a b","c"}',
  '{}',
  '{ }',
  '{a}',
  '{NULL}',
  '{{a,b},{c,d}}',
  '{great film,awful film}',
  '{a\\,b}',
])('%s is a list', async (text) => {
  expect((await failureOf(session, `select rafiki_predict('m', $1)`, [text])).code).toBe('42804');
});

test.each([
  '{',
  '{a',
  '{a,b} and more',
  ' {a,b}',
  '{"a": 1}',
  '{"a": [1, 2]}',
  '{,}',
  '{a,}',
  '{"a"b}',
  '{a {b}}',
  '[1, 2]',
])('%s is a text', async (text) => {
  expect(await session.query(`select rafiki_predict('m', $1) as v`, [text])).toEqual([{ v: `<${text}>` }]);
});

test('columns are not affected', async () => {
  const { db } = database;
  await db.query(`create table t (id int, body text); insert into t values (1, '{a,b}')`);
  expect(await db.query(`select rafiki_predict('m', array_agg(body)) as v from t`)).toEqual([{ v: ['<{a,b}>'] }]);
  expect(await db.query(`select prediction as v from rafiki_predict_query('m', 'select * from t')`)).toEqual([
    { v: '<{a,b}>' },
  ]);
  await db.query(`create table filled (body text, label text)`);
  await db.query(`select rafiki_attach('m', 'filled', 'body', 'label')`);
  await db.query(`set local rafiki.fill_wait = '1s'; insert into filled select body from t`);
  expect(await db.query('select label from filled')).toEqual([{ label: '<{a,b}>' }]);
});

test('a long text is read in linear time', async () => {
  const text = `{${'"a\\"b",'.repeat(1_000_000)}"`;
  await session.query(`select rafiki_predict('m', $1)`, [`${text}}`]); // quadratic, it would outlast any patience
});

/** What text[] reads: PostgreSQL says it itself, from 16 on. Brackets within are not counted here, so no text has them. */
test('exactly the literals of text[] are refused', async () => {
  if (postgresVersion() < 16) return;
  const text = fc
    .array(fc.constantFrom('a', 'null', ' ', '\n', ',', '"', '\\', 'é', '(', ':', "'", '[', ']', '='), { maxLength: 9 })
    .map((parts) => `{${parts.join('')}}`);
  await fc.assert(
    fc.asyncProperty(text, async (given) => {
      const [row] = await session.query<{ valid: boolean }>(`select pg_input_is_valid($1, 'text[]') as valid`, [given]);
      const answer = session.query(`select rafiki_predict('m', $1)`, [given]).then(
        () => false,
        (error: { code: string }) => error.code === '42804',
      );
      expect(await answer, given).toBe(row?.valid);
    }),
    { numRuns: 300 },
  );
});
