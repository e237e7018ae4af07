import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { readInputs } from '../../src/protocol/input-array.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { reply, ScriptedBridge } from '../support/scripted-bridge.ts';

let database: TestDatabase;
let db: Database;
let alice: Database;
let bridge: ScriptedBridge;

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  bridge = new ScriptedBridge();
  await bridge.listen({ announceTo: db });
  await db.query(`insert into rafiki.model (name, task, owner) values ('m', 'sentiment', current_user::regrole)`);
  alice = await database.as('alice');
  await db.query(`insert into rafiki.model_grant (model_id, role, owner)
                  select m.id, r.oid::regrole, m.owner from rafiki.model m, pg_roles r where r.rolname like 'alice_%'`);
  await db.query(`create schema authorization alice_${new URL(database.url).pathname.slice(1)}`);
  await alice.query(`create table texts (id int, title text, body varchar, "Odd one" text, number int)`);
  await alice.query(
    `insert into texts select i, 'Title ' || i, 'body of ' || i, null, i from generate_series(1, 200) i`,
  );
});
afterAll(async () => {
  await database.drop();
  await bridge.stop();
});
beforeEach(() => {
  bridge.requests = [];
});

/** What was sent after a look at the first row, without it. */
async function sentFor(argument: string, from = 'texts', session = alice): Promise<string[]> {
  let looks = 0;
  bridge.requests = [];
  bridge.answer = (fields) => (fields[0] === 'V' || looks++ > 0 ? reply('x') : reply('x', 'h', '?;512'));
  await session.query(`select ${argument} from (select * from ${from} limit 3) t`);
  const sent = bridge.requests
    .filter(([verb]) => verb === 'V')
    .map((fields) => readInputs(fields[4] ?? '') as string[]);
  expect(sent.length).toBeLessThanOrEqual(1);
  return (sent[0] ?? []).filter((text) => text !== null);
}

describe('an expression of texts is read ahead', () => {
  test.each([
    [`title || ' ' || body`, 'Title 2 body of 2'],
    [`t.title||'--'||t.body`, 'Title 2--body of 2'],
    [`concat_ws(e'. ', title, body)`, undefined],
    [`concat_ws('. ', title, "Odd one", body)`, 'Title 2. body of 2'],
    [`upper(title)`, 'TITLE 2'],
    [`left(lower(title || body), 9)`, 'title 2bo'],
    [`coalesce("Odd one", 'It''s ' || title)`, `It's Title 2`],
    [`(TITLE)::text || ('(' || substr(body, 1, 6)) || ')'`, 'Title 2(body o)'],
    [`trim(left(title, 99))`, 'Title 2'],
    [`nullif(title, '') || ''`, 'Title 2'],
  ])('%s', async (argument, second) => {
    const sent = await sentFor(`rafiki_predict('m', ${argument})`);
    if (second === undefined) expect(sent).toEqual([]);
    else expect([sent[0], sent.length]).toEqual([second, 64]);
  });

  test.each([
    `rafiki_predict(model => 'm', input => title || body)`,
    `RAFIKI_PREDICT ('m', title || body, interval '1 s')`,
    `rafiki_predict(concat('m', ''), title || body)`,
    `upper(rafiki_predict('m', upper(title))), rafiki_predict('m', title || body)`,
  ])('in %s', async (call) => {
    expect(await sentFor(call)).toHaveLength(64);
  });

  test('continues from where it was', async () => {
    const places = ['?;512', '+;100;place', '+;100;place'];
    bridge.answer = (fields) => {
      if (fields[0] === 'V') return reply(null);
      const place = bridge.requests.filter(([verb]) => verb === 'V').at(-1)?.[3] ?? '';
      const next = places.shift();
      return next === undefined ? reply('x') : reply('x', 'h', next.replace('place', place));
    };
    await alice.query(`select rafiki_predict('m', title || '!') from (select * from texts limit 4) t`);
    const sent = bridge.requests
      .filter(([verb]) => verb === 'V')
      .map((fields) => readInputs(fields[4] ?? '') as string[]);
    expect(sent.map((texts) => texts.at(-1))).toEqual(['Title 65!', 'Title 165!', 'Title 200!']);
  });
});

describe('nothing else is evaluated', () => {
  test.each([
    `title || '.' || nextval('calls')`,
    `title || '.' || number`,
    `title || (select 'x')`,
    `repeat(title, 2)`,
    `lower(title || pg_sleep(0)::text)`,
    `format('<%s>', title)`,
    `case when true then title || 'x' end`,
    `substr(title, -1) || '!'`,
    `substr(title, number) || '!'`,
    `left(title, id)`,
    `regexp_replace(title, 'T', '')`,
    `replace(title, 'T', body)`,
    `title /* || */ || body`,
    `own(title || 'x')`,
    `lower(own(title))`,
    `md5(title)`,
    `'x' || 'y' || random()`,
    `to_tsvector(title)::text`,
    `(title || body)::char(30)`,
  ])('%s', async (argument) => {
    await alice.query(`create sequence if not exists calls`);
    await alice.query(
      `create or replace function own(text) returns text language sql as $$ select $1 || nextval('calls') $$`,
    );
    await alice.query(`alter sequence calls restart`);
    expect(await sentFor(`rafiki_predict('m', ${argument})`)).toEqual([]);
    const [row] = await alice.query<{ n: number }>(`select nextval('calls')::int as n`);
    expect(row?.n).toBeLessThanOrEqual(4); // what the three rows of the query themselves took
  });

  test('of another role’s table', async () => {
    const bob = await database.as('bob');
    await db.query(`grant create on schema public to public`);
    await bob.query(
      `create table public.others as select 'Title ' || i as title, 'body' as body from generate_series(1, 100) i`,
    );
    await bob.query(`grant select on public.others to public`);
    expect(await sentFor(`rafiki_predict('m', title || body)`, 'others')).toEqual([]);
  });

  test('words with another meaning in the query cause neither reading ahead nor an error', async () => {
    expect(await sentFor(`'rafiki_predict(m, title || body)', rafiki_predict('m', number || title)`)).toEqual([]);
    expect(
      await sentFor(
        `rafiki_predict('m', u.title || body) from (select number || title as title, 'b' as body from texts) u --`,
      ),
    ).toEqual([]);
  });
});

test('one notice per session, after some requests, names the quick form', async () => {
  const session = await alice.connect(() => undefined);
  const notices: string[] = [];
  session.onNotice((notice) => notices.push(notice));
  const ask = async (readRequest: string): Promise<void> => {
    let looks = 0;
    bridge.answer = (fields) => (fields[0] === 'V' || looks++ > 0 ? reply('x') : reply('x', 'h', readRequest));
    await session.query(`select rafiki_predict('m', number || title) from (select * from texts limit 3) t`);
  };
  await ask('?;512');
  expect(notices).toEqual([]);
  await ask('?;4096');
  await ask('?;4096');
  expect(notices).toEqual(new Array(notices.length).fill('rafiki does not read ahead in this query'));
  expect(notices.length).toBeGreaterThan(0);
  await session.close();
});

test('a partitioned table of one’s own is none of strangers', async () => {
  const session = await alice.connect(() => undefined);
  const notices: string[] = [];
  session.onNotice((notice) => notices.push(notice));
  await session.query(`create table films (n int, body text) partition by range (n)`);
  await session.query(`create table films_1 partition of films for values from (0) to (100)`);
  await session.query(`insert into films select i, 'film ' || i from generate_series(1, 50) i`);
  let looks = 0;
  bridge.answer = (fields) => (fields[0] === 'V' || looks++ > 0 ? reply('x') : reply('x', 'h', '?;512'));
  await session.query(`select rafiki_predict('m', n || body) from (select * from films limit 3) f`);
  expect(notices).toEqual([]);
  await session.close();
});
