import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { readInputs } from '../../src/protocol/input-array.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { reply, ScriptedBridge } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';
import { eventually } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
let bridge: ScriptedBridge;
/** How many inputs each request had. */
let asked: number[];
/** Called before each answer. */
let before: () => Promise<unknown> | undefined;

/** A model that says of each text its length, and of each image its bytes. */
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  bridge = new ScriptedBridge();
  asked = [];
  before = () => undefined;
  bridge.answer = async ([verb = '', ...fields]) => {
    const inputs = readInputs(fields.at(-1) ?? '');
    asked.push(inputs.length);
    await before();
    const say = (text: string | null): string => {
      if (text === null) return 'NULL';
      const label = verb === verb.toLowerCase() ? atob(text) : String(text.length);
      if (!/b/i.test(verb)) return JSON.stringify(label);
      return JSON.stringify(JSON.stringify({ label, probabilities: { [label]: 1 } }));
    };
    return reply(`{${inputs.map(say).join()}}`);
  };
  await bridge.listen({ announceTo: db });
  await db.query(`insert into rafiki.model (name, task, owner) values
    ('lengths', 'text_classification', current_user::regrole), ('bytes', 'image_classification', current_user::regrole)`);
});
afterEach(async () => {
  await database.drop();
  await bridge.stop();
});

const makeWords = (rows: number): Promise<unknown> =>
  db.query(`create table words as select i as id, repeat('w', i % 50) as word from generate_series(1, ${rows}) i`);
const call = (args: string): string => `call rafiki_predict_all('lengths', ${args})`;
/** Rows that are not as they should be. */
const wrong = (): Promise<unknown[]> =>
  db.query(`select * from words w full join out o using (id) where o.prediction is distinct from length(w.word)::text`);

describe('rafiki_predict_all', () => {
  test('creates the table, and predicts every row of the source once', async () => {
    await makeWords(20_000);
    await db.query('alter table words add primary key (id)');
    await db.query('update words set word = null where id = 7');
    await db.query(call(`'words', 'out'`));
    expect(await wrong()).toEqual([]);
    expect(asked).toEqual([8192, 8192, 3616]);
    const [made] = await db.query<{ key: string }>(
      `select pg_get_constraintdef(oid) as key from pg_constraint where conrelid = 'out'::regclass and contype = 'p'`,
    );
    expect(made?.key).toBe('PRIMARY KEY (id)');
  });

  test('called again predicts new rows, and none twice', async () => {
    await makeWords(100);
    await db.query('alter table words add primary key (id)');
    await db.query(call(`'words', 'out'`));
    await db.query(`insert into words values (-5, 'before'), (1000, 'after'), (0, 'zero')`);
    asked = [];
    await db.query(call(`'words', 'out'`));
    expect([asked, await wrong()]).toEqual([[3], []]);
  });

  test('continues where it was stopped', async () => {
    await makeWords(40_000);
    await db.query('alter table words add primary key (id)');
    const session = await db.connect(() => undefined);
    const [{ pid } = { pid: 0 }] = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
    before = () => (asked.length === 3 ? db.query('select pg_terminate_backend($1)', [pid]) : undefined);
    await expect(session.query(call(`'words', 'out'`))).rejects.toThrow();
    await expect.poll(() => db.query('select from pg_stat_activity where pid = $1', [pid])).toEqual([]);
    expect(await db.query(`select count(*)::int as n from out`)).toEqual([{ n: 16_384 }]);
    asked = [];
    before = () => undefined;
    await db.query(call(`'words', 'out'`));
    expect([asked, await wrong()]).toEqual([[8192, 8192, 7232], []]);
  });

  test('of two concurrent calls both end, with every row once', async () => {
    await makeWords(20_000);
    await db.query('alter table words add primary key (id)');
    await db.query(`create table out (id int primary key, prediction text)`);
    await Promise.all([db.query(call(`'words', 'out'`)), db.query(call(`'words', 'out'`))]);
    expect(await wrong()).toEqual([]);
  });

  test.each([
    ['read committed', ['done']],
    ['repeatable read', ['done', '40001']], // rows that the other one predicted meanwhile
  ])('of two first calls at once, %s, one makes the table', async (level, ends) => {
    await makeWords(20_000);
    await db.query('alter table words add primary key (id)');
    const [first, second] = [await db.connect(() => undefined), await db.connect(() => undefined)];
    const [{ pid } = { pid: 0 }] = await second.query<{ pid: number }>('select pg_backend_pid() as pid');
    await second.query(`set default_transaction_isolation = '${level}'`);
    let later: Promise<string> | undefined;
    // the first has made the table, and not committed it; the second waits for that
    before = async () => {
      if (later !== undefined) return;
      later = second.query(call(`'words', 'out'`)).then(
        () => 'done',
        ({ code }: { code: string }) => code,
      );
      await eventually(db, `select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'`, [pid]);
    };
    await first.query(call(`'words', 'out'`));
    expect(ends).toContain(await later);
    expect(await wrong()).toEqual([]);
    await Promise.all([first.close(), second.close()]);
  });

  const keys: [string, string][] = [
    ['uuid', `md5(i::text)::uuid`],
    ['text collate "C"', `md5(i::text)`],
    ['timestamptz', `'2026-10-25 00:00+02'::timestamptz + i * interval '0.7 s'`],
    ['numeric(10,3)', `i / 7.0`],
    ['float8', `i / 7.0`],
    ['int[]', `array[i % 3, i]`],
    ['char(8)', `left(md5(i::text), 8)`],
    ['bytea', `sha256(i::text::bytea)`],
    ['interval', `i * interval '13 min'`],
    ['date', `'2000-01-01'::date + i`],
    ['named', `i`],
    ['"Od d"', `row(i % 7, i::text)::"Od d"`],
    ['strange.citext_like', `i::text`],
  ];
  test.each(keys)('accepts a key of type %s', async (type, value) => {
    await db.query(`create domain named as bigint; create type "Od d" as (a int, b text); create schema strange;
                    create domain strange.citext_like as varchar(20)`);
    await db.query(`create table words (id ${type} primary key, word text)`);
    await db.query(`insert into words select ${value}, repeat('w', i % 50) from generate_series(1, 9000) i`);
    const session = await db.connect(() => undefined);
    await session.query(
      `set datestyle = 'SQL, DMY'; set timezone = 'Europe/Berlin'; set intervalstyle = 'sql_standard'`,
    );
    await session.query(call(`'words', 'out'`));
    await session.close();
    expect(await wrong()).toEqual([]);
    expect(asked).toEqual([8192, 808]);
  });

  test('accepts a key of several columns, and a named one', async () => {
    await db.query(
      `create table words (tenant text collate "C", word text, "No" int not null, id int unique not null, primary key ("No", tenant))`,
    );
    await db.query(
      `insert into words select 't' || i % 3, repeat('w', i % 50), i / 3, i from generate_series(1, 20000) i`,
    );
    await db.query(call(`'words', 'out', input => 'word'`));
    const [row] =
      await db.query(`select count(*)::int as n, count(*) filter (where o.prediction = length(w.word)::text)::int as right
      from words w join out o using (tenant, "No")`);
    expect(row).toEqual({ n: 20_000, right: 20_000 });
    expect(asked).toEqual([8192, 8192, 3616]);
    await db.query('alter table out rename to first');
    await db.query(call(`'words', 'out', key => '{id}', input => 'word'`));
    expect(await wrong()).toEqual([]);
  });

  test('accepts keys whose operators are in several schemas', async () => {
    await db.query('create extension citext schema public');
    await db.query(`create table words (tenant public.citext, id int, word text, primary key (tenant, id))`);
    await db.query(`insert into words select 'T' || i % 2, i, repeat('w', i % 50) from generate_series(1, 20000) i`);
    const session = await db.connect(() => undefined);
    await session.query('create schema elsewhere; set search_path = elsewhere');
    await session.query(`call public.rafiki_predict_all('lengths', 'public.words', 'public.out', input => 'word')`);
    await session.close();
    expect(await wrong()).toEqual([]);
    expect(asked).toEqual([8192, 8192, 3616]);
  });

  test('adds probabilities; other columns may exist', async () => {
    await makeWords(10);
    await db.query('alter table words add primary key (id)');
    await db.query(
      `create table out (made timestamptz default now(), mood text, probabilities jsonb, id int primary key)`,
    );
    await db.query(call(`'words', 'out', output => 'mood', with_probabilities => true`));
    expect(await db.query(`select mood, probabilities from out where id = 3`)).toEqual([
      { mood: '3', probabilities: { 3: 1 } },
    ]);
    await db.query(call(`'words', '"Other Table"', with_probabilities => true`));
    expect(await db.query(`select prediction, probabilities from "Other Table" where id = 4`)).toHaveLength(1);
  });

  test('accepts images, in parts of some megabytes', async () => {
    await db.query(`create table photos (id int primary key, image bytea)`);
    await db.query(
      `insert into photos select i, convert_to(repeat(i::text, 1500000), 'UTF8') from generate_series(1, 5) i`,
    );
    await db.query(`call rafiki_predict_all('bytes', 'photos', 'seen')`);
    expect(await db.query(`select id, left(prediction, 2) as begins from seen order by id`)).toEqual(
      [1, 2, 3, 4, 5].map((id) => ({ id, begins: `${id}${id}` })),
    );
  });

  test('is refused in a transaction block', async () => {
    await makeWords(1);
    const session = await db.connect(() => undefined);
    await session.query('begin');
    await session.query('select pg_sleep(0.15)'); // of a block that has just begun PostgreSQL says it, without a hint
    expect(await failureOf(session, call(`'words', 'out'`))).toMatchObject({
      code: '2D000',
      hint: expect.stringContaining('outside'),
    });
    await session.close();
  });

  test('runs over the extended protocol, with parameters', async () => {
    await makeWords(3);
    await db.query('alter table words add primary key (id)');
    await db.query('call rafiki_predict_all($1, $2, $3)', ['lengths', 'words', 'out']);
    expect(await db.query('select count(*)::int as n from out')).toEqual([{ n: 3 }]);
  });

  test('raises errors with hints', async () => {
    await makeWords(10);
    const failure = async (args: string) => failureOf(db, call(args));
    expect(await failure(`'words', 'out'`)).toMatchObject({ code: '42P16', hint: expect.stringContaining('key =>') });
    expect(await failure(`'words', 'out', key => '{id}'`)).toMatchObject({ code: '42P16' });
    expect(await failure(`'words', 'out', key => '{no}'`)).toMatchObject({ code: '42703' });
    await db.query('alter table words add primary key (id)');
    expect(await failure(`'words', null`)).toMatchObject({ code: '22004' });
    expect(await failure(`'words', 'words'`)).toMatchObject({ code: '22023' });
    expect(await failure(`'words', 'out', input => 'id'`)).toMatchObject({ code: '42804' });
    for (const name of ['', 'a b.c', 'x.y.z', '"unfinished', '.'])
      expect(await failure(`'words', '${name}'`), name).toMatchObject({ code: '42602', detail: `It is "${name}".` });
    expect(await failure(`'words', 'nowhere.out'`)).toMatchObject({ code: '3F000' });
    expect(await failure(`'words', 'out', output => 'id'`)).toMatchObject({ code: '42701' });
    await db.query('create view seen as table words');
    expect(await failure(`'seen', 'out'`)).toMatchObject({
      code: '42809',
      hint: expect.stringContaining('materialized'),
    });
    await db.query('create table out (id bigint, prediction text)');
    expect(await failure(`'words', 'out'`)).toMatchObject({ code: '42804', detail: expect.stringContaining('bigint') });
    await db.query('alter table out alter id type int');
    expect(await failure(`'words', 'out'`)).toMatchObject({
      code: '42P16',
      hint: expect.stringContaining('add primary key (id)'),
    });
    expect(await failure(`'words', 'out', output => 'mood'`)).toMatchObject({ code: '42703' });
    expect(await failureOf(db, `call rafiki_predict_all('length', 'words', 'out')`)).toMatchObject({ code: '42704' });
  });

  test('has the rights of its caller, and names missing ones; row-level security holds', async () => {
    await makeWords(10);
    await db.query('alter table words add primary key (id)');
    const alice = await database.as('alice');
    const [{ name } = { name: '' }] = await alice.query<{ name: string }>('select current_user::text as name');
    await db.query(
      `insert into rafiki.model_grant (model_id, role, owner) select id, '${name}'::regrole, owner from rafiki.model`,
    );
    const failure = (args: string) => failureOf(alice, call(args));
    expect(await failure(`'words', 'out'`)).toMatchObject({ code: '42501', detail: expect.stringContaining('select') });
    await db.query(`grant select (id) on words to ${name}`);
    expect(await failure(`'words', 'out', input => 'word'`)).toMatchObject({
      code: '42501',
      hint: expect.stringContaining('grant select (word) on public.words to'),
    });
    await db.query(`grant select on words to ${name}; revoke create on schema public from public`);
    expect(await failure(`'words', 'out'`)).toMatchObject({ code: '42501', detail: expect.stringContaining('create') });
    await db.query(`create table out (id int primary key, prediction text); grant select on out to ${name}`);
    expect(await failure(`'words', 'out'`)).toMatchObject({
      code: '42501',
      hint: expect.stringContaining('grant insert (id, prediction) on public.'),
    });
    await db.query(`grant insert on out to ${name}; alter table words enable row level security;
                    create policy even on words using (id % 2 = 0)`);
    await alice.query(call(`'words', 'out'`));
    expect(await db.query(`select array_agg(id order by id) as ids from out`)).toEqual([{ ids: [2, 4, 6, 8, 10] }]);
  });

  test('shows progress in lines of 80 columns', async () => {
    const notices: string[] = [];
    await db.query(`create table words as select 1 as id, 'w' as word; alter table words add primary key (id);
                    update pg_class set reltuples = 2e9 where oid = 'words'::regclass`);
    const session = await db.connect(() => undefined);
    session.onNotice((notice) => notices.push(notice));
    await session.query(call(`'words', 'out'`));
    expect(
      await session.query(`select length(rafiki._all_progress('words', 1999999999, now() - interval '1 h')) + 10 as n`),
    ).toEqual([{ n: expect.toSatisfy((length: number) => length <= 80) }]);
    await session.close();
    expect(notices).toEqual([expect.stringMatching(/^1 rows of about 2000000000, \d+ a second, all done$/)]);
  });
});
