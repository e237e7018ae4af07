import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { allCommands } from '../../src/cli/commands/registry.ts';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import type { Database } from '../../src/db/database.ts';
import { readInputs } from '../../src/protocol/input-array.ts';
import { version } from '../../src/runtime/version.ts';
import { catalogue } from '../support/catalogue.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { reply, ScriptedBridge } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews, eventually } from '../support/studies.ts';

const commands = await allCommands();

let database: TestDatabase;
let db: Database;
let bridge: ScriptedBridge;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  bridge = new ScriptedBridge();
  bridge.answer = (fields) => {
    if (!/^a/i.test(fields[0] ?? '')) return reply(`<${fields.at(-1)}>`);
    return reply(
      `{${readInputs(fields.at(-1) ?? '')
        .map((text) => JSON.stringify(`<${text}>`))
        .join()}}`,
    );
  };
  await bridge.listen({ announceTo: db });
  await db.query(`insert into rafiki.model (name, task, owner) values ('m', 'sentiment', current_user::regrole)`);
});
afterEach(async () => {
  await database.drop();
  await bridge.stop();
});

test.each([
  ['select nope', '42703', 'column "nope" does not exist'],
  ['select * from no_such_table', '42P01', 'relation "no_such_table" does not exist'],
  ['selec body from reviews', '42601', /syntax error/],
  ['select 1; select 2', '42601', /syntax error/],
  [`update pg_class set relname = 'x'`, '42601', /syntax error/],
])('what is wrong with %s, which is to be predicted, is told without SQL of ours', async (query, code, message) => {
  const failure = await db.query('select * from rafiki_predict_query($1, $2)', ['m', query]).then(
    () => undefined,
    (error: Record<string, unknown>) => error,
  );
  expect(failure).toMatchObject({
    code,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
    detail: `The query that was given: ${query}`,
    hint: expect.stringMatching(/\S/),
    internalQuery: undefined,
    where: expect.not.stringContaining('jsonb_object_keys'),
  });
});

describe('the secret of the server', () => {
  test('that is missing causes an error, and is created by a starting server', async () => {
    await db.query('drop user mapping for rafiki_owner server rafiki_bridge');
    const [session] = [await database.as('alice')];
    await db.query('update rafiki.model set owner = (select oid from pg_roles where rolname like $1)::regrole', [
      `alice_${new URL(database.url).pathname.slice(1)}`,
    ]);
    expect(await failureOf(session, `select rafiki_predict('m', 'x')`)).toEqual({
      code: '08006',
      message: 'the secret of the rafiki server is not known here',
      detail: expect.stringContaining('no user mapping for rafiki_owner'),
      hint: expect.stringContaining('rafiki serve'),
    });
    await db.query(
      `select rafiki._disconnect_bridge('127.0.0.1', $1), rafiki._connect_bridge('127.0.0.1', $1, 'secret')`,
      [bridge.port],
    );
    expect(await session.query(`select rafiki_predict('m', 'x') as v`)).toEqual([{ v: '<x>' }]);
  });

  test('is created if a dump by a role without superuser left it out', async () => {
    await db.query('alter user mapping for rafiki_owner server rafiki_bridge options (drop password, drop "user")');
    await db.query(
      `select rafiki._disconnect_bridge('127.0.0.1', $1), rafiki._connect_bridge('127.0.0.1', $1, 'secret')`,
      [bridge.port],
    );
    expect(await db.query(`select rafiki_predict('m', 'x') as v`)).toEqual([{ v: '<x>' }]);
  });
});

test.each(['0', '-1 ms', '31 days', '170000000 years'])('a budget of %s is refused with its range', async (budget) => {
  for (const call of [`rafiki_predict('m', 'x', interval '${budget}')`, `rafiki_predict_detail('m', 'x', '${budget}')`])
    expect(await failureOf(db, `select ${call}`)).toMatchObject({
      ...{ code: '22023', message: 'the latency budget must be above 0 and at most 30 days' },
    });
});

test('an infinite budget, which exists from PostgreSQL 17 on, is refused', async () => {
  const failure = await failureOf(db, `select rafiki_predict('m', 'x', budget => interval 'infinity')`);
  expect(failure.code).toBe(postgresVersion() >= 17 ? '22023' : '22007');
});

test('without a usable column, the hint names none', async () => {
  await db.query('create table numbers (id int primary key, label text, price int)');
  expect(await failureOf(db, `select rafiki_train('sentiment', 'numbers')`)).toMatchObject({
    code: '42703',
    message: 'no column of public.numbers can be the text to learn from',
    hint: expect.stringMatching(/^Add it in a view: .*as body\.$/),
  });
});

test.each(['coordinator', 'worker', 'serve'])("rafiki %s explains which role's URL it needs", async (command) => {
  const url = (await database.as('alice')).url;
  await expect(commands[command]?.run(['--database-url', url])).rejects.toMatchObject({
    message: expect.stringMatching(/^rafiki does not run as role alice_\w+, which lacks the required rights$/),
    hint: expect.stringMatching(/postgres:\/\/rafiki_service:/),
  });
});

test('images in base64, or paths, are refused with a hint to convert them', async () => {
  await db.query(`create table photos (id int primary key, label text, file text)`);
  await db.query(`insert into photos values (1, 'a', 'aGVsbG8='), (2, 'b', '/tmp/b.jpg')`);
  for (const features of ['null', '{file}']) {
    const train = `select rafiki_train('image_classification', 'photos', features => ${features === 'null' ? 'null' : `'${features}'`})`;
    expect((await failureOf(db, train)).hint, features).toMatch(/decode\(column, 'base64'\) as image/);
  }
});

test('Ctrl-C while waiting for a study explains that it continues, and how to stop it', async () => {
  await createReviews(db, 20);
  const waiting = await db.connect(() => undefined);
  const [{ pid }] = (await waiting.query<{ pid: number }>('select pg_backend_pid() as pid')) as [{ pid: number }];
  const ended = failureOf(waiting, `call rafiki_train_wait('sentiment', 'reviews')`);
  const { id } = await eventually<{ id: number }>(db, 'select id from rafiki.study');
  await eventually(db, `select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'`, [pid]);
  await db.query('select pg_cancel_backend($1)', [pid]);
  expect(await ended).toEqual({
    code: '57014',
    message: 'canceling statement due to user request',
    detail: `Study ${id} goes on.`,
    hint: `Watch it again with: call rafiki_watch(${id}); or stop it with: select rafiki_cancel(${id});`,
  });
  await waiting.close();
  expect(await db.query('select state from rafiki.study')).toEqual([{ state: 'queued' }]);
});

describe('in the code of a source', () => {
  let processes: RunningProcesses;
  beforeEach(async () => {
    processes = await startProcesses(database.service);
  });
  afterEach(() => processes.stop());

  test('SET ROLE is refused with a hint', async () => {
    await createReviews(db, 20);
    await db.query(`create function other() returns text language plpgsql as
                    $$ begin perform pg_catalog.set_config('role', 'none', false); return ' x'; end $$`);
    await db.query(`create view changing as select id, label, body || public.other() as body from reviews`);
    const [row] = await db.query<{ id: number }>(`select rafiki_train('sentiment', 'changing') as id`);
    const { error } = await eventually<{ error: unknown }>(
      db,
      `select error from rafiki.study where id = $1 and ended_at is not null`,
      [row?.id],
    );
    expect(error).toMatchObject({
      sqlstate: '42501',
      message: expect.stringContaining('cannot set parameter "role"'),
      hint: expect.stringContaining('SET ROLE is refused'),
    });
  });
});

describe('with standard_conforming_strings off', () => {
  test('every form works', async () => {
    const session = await db.connect(() => undefined);
    await session.query(`set standard_conforming_strings = off; set rafiki.fill_wait = '1s'`);
    const one = async (sql: string): Promise<unknown> => Object.values((await session.query<object>(sql))[0] ?? {})[0];
    expect(await one(`select rafiki_predict('m', e'back\\\\slash "x"')`)).toBe('<back\\slash "x">');
    expect(await one(`select rafiki_predict('m', array['a', null])`)).toEqual(['<a>', null]);
    expect(await one(`select rafiki_predict_many('m', array['a'])`)).toEqual(['<a>']);
    expect((await failureOf(session, `select rafiki_predict('m', '{"a","b"}')`)).code).toBe('42804');
    expect(await one(`select rafiki_predict('m', '{"a": 1}')`)).toBe('<{"a": 1}>');
    expect(await one(`select prediction from rafiki_predict_query('m', 'select ''x''::text as body')`)).toBe('<x>');
    await createReviews(session, 20);
    expect(await one(`select metric from rafiki_evaluate('m', 'reviews') limit 1`)).toBe('rows');
    await session.query(`alter table reviews add said text`);
    await session.query(`select rafiki_attach('m', 'reviews', 'body', 'said')`);
    await session.query(`update reviews set body = 'c' where id = 1`);
    expect(await one('select said from reviews where id = 1')).toBe('<c>');
    expect(
      await one(
        `select rafiki_train('sentiment', 'reviews', features => '{body}', target => 'label', model => 'back''slash')`,
      ),
    ).toEqual(expect.any(Number));
    await session.close();
  });

  test('rafiki can be installed', async () => {
    const script = readFileSync(path.join(extensionDir, 'extension', `rafiki--${version}.sql`), 'utf8');
    const [one, other] = [await createTestDatabase('template0'), await createTestDatabase('template0')];
    try {
      await one.db.transaction((tx) => tx.query(script));
      const session = await other.db.connect(() => undefined);
      await session.query('set standard_conforming_strings = off');
      await session.query(`begin; ${script}; commit`);
      await session.close();
      expect(await catalogue(other.db)).toEqual(await catalogue(one.db));
      const bodies = `select md5(string_agg(prosrc, '' order by oid::regprocedure::text)) as md5 from pg_proc where proowner = 'rafiki_owner'::regrole`;
      expect(await other.db.query(bodies)).toEqual(await one.db.query(bodies));
    } finally {
      await one.drop();
      await other.drop();
    }
  });
});
