import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { reply, ScriptedBridge } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';

/** Which form of rafiki_predict a value gets: PostgreSQL chooses by types alone. */
let database: TestDatabase;
let db: Database;
let bridge: ScriptedBridge;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  bridge = new ScriptedBridge();
  bridge.answer = (fields) =>
    reply(/a/i.test(fields[0] ?? '') ? '{of many}' : fields[0] === 'n' ? 'of an image' : 'of a text');
  await bridge.listen({ announceTo: db });
  await db.query(`insert into rafiki.model (name, task, owner) values ('m', 'sentiment', current_user::regrole)`);
  await db.query(`create domain sentence as text; create domain title as varchar(20); create domain file as bytea`);
  await db.query(
    `create domain sentences as text[]; create type mood as enum ('x'); create type pair as (a text, b text)`,
  );
});
afterAll(async () => {
  await database.drop();
  await bridge.stop();
});

test.each([
  ['of a text', [`'x'`, '$1', `'x'::text`, `'x'::varchar`, `'x'::char(3)`, `'x'::name`, `'x'::sentence`, `'x'::title`]],
  [
    'of a text',
    [`'x'::text, '1 s'`, `'x', interval '1 s'`, `(select 'x')`, `coalesce(null, 'x')`, `input => 'x'::varchar`],
  ],
  ['of an image', [`'x'::bytea`, `'x'::file`, `image => 'x'::bytea`]],
  [
    ['of many'],
    [`'{x}'::text[]`, `'{x}'::varchar[]`, `'{x}'::name[]`, `'{x}'::sentences`, `'{x}'::bytea[]`, `array['x']`],
  ],
  [null, ['null', 'null::text', 'null::bytea', 'null::text[]', `null, '1 s'`]],
])('an answer %s is given to %s', async (answer, inputs) => {
  for (const input of inputs) {
    const values = input === '$1' ? ['x'] : [];
    expect(await db.query(`select rafiki_predict('m', ${input}) as v`, values), input).toEqual([{ v: answer }]);
  }
});

test.each([
  ['integer', '5', /input::text/],
  ['bigint', 'null::bigint', /input::text/],
  ['numeric', '1.5', /input::text/],
  ['date', `current_date`, /input::text/],
  ['timestamp with time zone', 'now()', /input::text/],
  ['public.mood', `'x'::mood`, /input::text/],
  ['json', `'{}'::json`, /input ->> 'body'/],
  ['jsonb', `'{}'::jsonb`, /input ->> 'body'/],
  ['public.pair', `row('a', 'b')::pair`, /concat_ws/],
  ['record', `row(1, 2)`, /concat_ws/],
])('%s is refused in words', async (type, input, hint) => {
  for (const name of ['rafiki_predict', 'rafiki_predict_detail']) {
    expect(await failureOf(db, `select ${name}('m', ${input})`)).toEqual({
      code: '42804',
      message: `a model reads text or images, not ${type}`,
      detail: null,
      hint: expect.stringMatching(hint),
    });
  }
});

test("an input that is neither a text nor an image raises PostgreSQL's error", async () => {
  for (const input of [`'x'::"char"`, 'array[1]']) {
    expect(await failureOf(db, `select rafiki_predict('m', ${input})`), input).toMatchObject({
      code: expect.stringMatching(/^42(725|883)$/),
      hint: expect.stringContaining('You might need to add explicit type casts.'),
    });
  }
});
