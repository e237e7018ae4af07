import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import type { Queryable } from '../../src/db/database.ts';
import { lockModel } from '../../src/db/statements/models.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { startAll, stopAll } from '../../src/runtime/service.ts';
import { createStage, type HostileStage, type LoginRole, untilReady } from '../support/hostile-stage.ts';
import { postgresVersion } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { eventually } from '../support/studies.ts';

/** Tables are filled in the background with their owners' rights: attacks by owners and writers. */
let stage: HostileStage;
let db: HostileStage['database']['db'];
let hostile: LoginRole;
let number = 0;
let table: string;

beforeAll(async () => {
  stage = await createStage();
  db = stage.database.db;
  hostile = stage.grantee;
  await stage.serve();
  await stage.addModel('hers', stage.modelOwner, hostile);
  await untilReady(stage, 'hers');
  await db.query('create table secrets (secret text)');
  await db.query(`insert into secrets values ('of others')`);
});
afterAll(() => stage.stop());
beforeEach(async () => {
  table = `${hostile.sql}.inbox${number++}`;
  await hostile.session.query(`create table ${table} (id int primary key, body text, mood text)`);
});

afterEach(() => db.query(`drop table if exists ${table} cascade`)); // one table of an owner is filled at a time

const attach = (by: LoginRole['session'], to = table): Promise<unknown> =>
  by.query(`select rafiki_attach('hers', '${to}', 'body', 'mood')`);
const insert = (to = table): Promise<unknown> =>
  hostile.session.query(`set local rafiki.fill_wait = 0; insert into ${to} (id, body) values (1, 'good film 4')`);

async function whileFilling(work: () => Promise<unknown>): Promise<void> {
  const coordinator = createCoordinator({ database: stage.database.service, logger });
  await startAll([coordinator]);
  try {
    await work();
  } finally {
    await stopAll([coordinator]);
  }
}

const errorOf = (to = table): Promise<{ error: { sqlstate: string } }> =>
  eventually(db, `select error from rafiki.attachment where target = '${to}'::regclass and error is not null`);
const filled = (to = table): Promise<unknown> => eventually(db, `select from ${to} where mood = 'pos'`);

/** A trigger of the table that notes who it runs as, and what becomes of what it tries. */
async function spy(on: string, by: LoginRole['session'], attempt: string): Promise<void> {
  await by.query(`create table ${on}_seen (who text, login text, super text, state text)`);
  await by.query(`grant all on ${on}_seen to public`);
  await by.query(`create function ${on}_spy() returns trigger language plpgsql as $$
    begin
      begin
        execute ${attempt};
        insert into ${on}_seen values (current_user, session_user, current_setting('is_superuser'), 'done');
      exception when others then
        insert into ${on}_seen values (current_user, session_user, current_setting('is_superuser'), sqlstate);
      end;
      return new;
    end $$`);
  await by.query(`create trigger spy before update on ${on} for each row execute function ${on}_spy()`);
}

test.each([
  ['read what is not its owner’s', `'select * from public.secrets'`, '42501'],
  ['become another role', `'set role rafiki_owner'`, '42501'],
  ['become who has logged in', `'set session authorization default'`, '42501'],
  ['read the keys of models', `'select * from rafiki.model_key'`, '42501'],
  ['admit the session to another function', `'insert into rafiki.reading values (pg_backend_pid(), ''x'')'`, '42501'],
  ['write down what a table is filled by', `'update rafiki.attachment set reader = gen_random_uuid()'`, '42501'],
])(
  'code of a table’s owner runs as himself and cannot %s, also where a superuser attached it',
  async (_what, attempt, state) => {
    await attach(db);
    await spy(table, hostile.session, attempt);
    await insert();
    await whileFilling(() => filled());
    const seen = await db.query(`select * from ${table}_seen`);
    expect(seen).toEqual([{ who: hostile.name, login: 'rafiki_reader', super: 'off', state }]);
  },
);

test("a table with a new owner is not filled with the former owner's rights, nor one with other roles' partitions", async () => {
  await db.query('create table given (id int primary key, body text, mood text)');
  await attach(db, 'given');
  await db.query(`alter table given owner to ${hostile.sql}`);
  await spy('given', db, `'select 1'`);
  await insert('given');
  const parts = `${hostile.sql}.parts${number++}`;
  await db.query(`create table ${parts} (id int primary key, body text, mood text) partition by range (id)`);
  await attach(db, parts);
  await hostile.session.query(`alter table ${table} add check (id is not null)`);
  await db.query(`alter table ${parts} attach partition ${table} for values from (0) to (10)`);
  await hostile.session.query(`insert into ${table} (id, body) values (1, 'good film 4')`);
  await db.query(`update ${table} set mood = null`);
  await whileFilling(async () => {
    expect((await errorOf('given')).error.sqlstate).toBe('55000');
    expect((await errorOf(parts)).error.sqlstate).toBe('42501');
  });
  expect(await db.query('select * from given_seen')).toEqual([]);
});

test("no role can attach a model to another role's table, or insert such an attachment", async () => {
  const { otherRole } = stage;
  await hostile.session.query(`grant all on schema ${hostile.sql} to public`);
  await hostile.session.query(`grant all on ${table} to public`);
  expect(
    (await failureOf(stage.modelOwner.session, `select rafiki_attach('hers', '${table}', 'body', 'mood')`)).code,
  ).toBe('42501');
  const add = `select rafiki._add_attachment((select id from rafiki.model), '${table}', r.reader, r.ticket)
    from rafiki._make_filler('${table}') r`;
  expect((await failureOf(otherRole.session, add)).code).toBe('42501');
  const own = `with r as (select gen_random_uuid() as reader), t as (
      select reader, rafiki._create_reader(reader, 'text volatile', 'select null::text') as ticket from r)
    select rafiki._add_attachment(1, '${table}', reader, ticket) from t`;
  expect((await failureOf(otherRole.session, own)).code).toBe('42501');
  await attach(hostile.session);
  expect(await otherRole.session.query('select from rafiki.attachment')).toEqual([]);
  const [made] = await db.query<{ reader: string }>('select reader from rafiki.attachment order by id desc limit 1');
  const call = `rafiki_reader."${made?.reader}"(${Array(100).fill('true').join()})`;
  expect((await failureOf(otherRole.session, `select ${call}`)).code).toBe('42501');
  expect((await failureOf(otherRole.session, `select rafiki._fill('${made?.reader}')`)).code).toBe('42704');
});

test('a replaced fill function does no harm: its results are checked, and other tables are filled', async () => {
  await attach(hostile.session);
  await insert();
  await hostile.session.query(`do $$ declare f record; begin
    for f in select p.proname, oidvectortypes(p.proargtypes) as args from pg_proc p join rafiki.attachment a on a.reader::text = p.proname
             where a.target = '${table}'::regclass loop
      execute format('create or replace function rafiki_reader.%I(%s) returns text language sql security definer as %L',
                     f.proname, f.args, 'select repeat(''{"unanswered": [{}], "place": "1;(0,0)'', 100000)');
    end loop; end $$`);
  const other = stage.modelOwner;
  await other.session.query(`create table ${other.sql}.films (id int primary key, body text, mood text)`);
  await other.session.query(`insert into ${other.sql}.films values (1, 'good film 4')`);
  await attach(other.session, `${other.sql}.films`);
  await whileFilling(async () => {
    await filled(`${other.sql}.films`);
    expect((await errorOf()).error.sqlstate).toBe('22000');
  });
});

/** Puts something in the place of the function that fills the table. */
const forge = (kind: string, body: string): Promise<unknown> =>
  hostile.session.query(`do $do$ declare f record; begin
    for f in select p.proname, oidvectortypes(p.proargtypes) as args from pg_proc p join rafiki.attachment a on a.reader::text = p.proname
             where a.target = '${table}'::regclass loop
      execute format('create or replace function rafiki_reader.%I(%s) returns text ${kind} as %L', f.proname, f.args, $body$${body}$body$);
    end loop; end $do$`);

const readerPassword = (): Promise<unknown[]> =>
  db.query(`select rolpassword from pg_authid where rolname = 'rafiki_reader'`);

/** Takes over the login that fills tables, where it runs as that. */
const takeOver = `begin execute 'alter role rafiki_reader password ''pwned'''; exception when others then null; end`;

test.each([
  ['by a function that runs as its caller', 'function'],
  ['by a cursor that is held', 'cursor'],
  ['by a trigger that is deferred', 'deferred'],
  ['by a search path that the next statements have', 'path'],
])('no role can take over the login that fills tables %s', async (_what, way) => {
  const before = await readerPassword();
  await hostile.session.query(`grant usage on schema ${hostile.sql} to public`);
  await hostile.session.query(`create or replace function ${hostile.sql}.evil() returns text language plpgsql as
    $$ begin ${takeOver}; return 'x'; end $$`);
  if (way === 'deferred') {
    await hostile.session.query(`create or replace function ${hostile.sql}.evil_trigger() returns trigger language plpgsql as
      $$ begin perform ${hostile.sql}.evil(); return null; end $$`);
    await hostile.session.query(`create constraint trigger evil after update on ${table} deferrable initially deferred
      for each row execute function ${hostile.sql}.evil_trigger()`);
  }
  if (way === 'cursor') {
    await hostile.session.query(`create or replace function ${hostile.sql}.hold() returns trigger language plpgsql as
      $$ begin execute 'declare c cursor with hold for select ${hostile.sql}.evil()'; return new; end $$`);
    await hostile.session.query(
      `create trigger hold before update on ${table} for each row execute function ${hostile.sql}.hold()`,
    );
  }
  await attach(hostile.session);
  if (way === 'function') await forge('language plpgsql', `begin ${takeOver}; return '{}'; end`);
  if (way === 'path') {
    for (const name of ['pg_proc', 'pg_cursors', 'pg_trigger']) {
      const view = `${hostile.sql}.${name}`;
      await hostile.session.query(
        `create view ${view} as select ${hostile.sql}.evil() as evil, t.* from pg_catalog.${name} t`,
      );
      await hostile.session.query(`grant select on ${view} to public`);
    }
    await hostile.session.query(
      `create function ${hostile.sql}.format(text, name, text) returns text language sql as 'select ${hostile.sql}.evil()'`,
    );
    await forge(
      'language plpgsql security definer',
      `begin perform set_config('search_path', '${hostile.sql}, pg_catalog', false); return '{"filled": 0}'; end`,
    );
  }
  await insert();
  await whileFilling(async () => {
    if (way === 'path') {
      await eventually(
        db,
        `select from rafiki.attachment where target = '${table}'::regclass and waiting_since is null`,
      );
      return;
    }
    // from 18 on a deferred trigger runs as who wrote the row
    if (way === 'deferred' && postgresVersion() >= 18) await filled();
    else expect((await errorOf()).error).toMatchObject({ sqlstate: '55000' });
  });
  expect(await readerPassword()).toEqual(before);
});

test('no call sees settings of the previous one, such as an isolation level that would hide a replaced function', async () => {
  await hostile.session.query(`create table ${table}_calls (isolation text, deferred text, path text)`);
  await hostile.session.query(`grant usage on schema ${hostile.sql} to public; grant all on ${table}_calls to public`);
  await attach(hostile.session);
  await forge(
    'language plpgsql security definer',
    `begin
       insert into ${table}_calls values (current_setting('transaction_isolation'), current_setting('transaction_deferrable'),
                                          current_setting('search_path'));
       perform set_config('default_transaction_isolation', 'repeatable read', false);
       perform set_config('default_transaction_deferrable', 'on', false);
       perform set_config('search_path', '${hostile.sql}', false);
       return case when (select count(*) from ${table}_calls) < 3 then '{"place": "1;1;(0,0)"}' else '{"filled": 1}' end; end`,
  );
  await insert();
  const calls = `select isolation, deferred, path from ${table}_calls`;
  await whileFilling(() => eventually(db, `select where (select count(*) from ${table}_calls) >= 3`));
  const clean = { isolation: 'read committed', deferred: 'off', path: 'pg_catalog,pg_temp' };
  expect((await db.query(calls)).slice(0, 3)).toEqual([clean, clean, clean]);
});

test.each([
  ['says of what it did', `return repeat('[', 66000000) || repeat(']', 66000000);`, '22000'],
  ['throws', `raise exception using errcode = '40001', message = repeat('x', 48000000);`, '54000'],
  ['throws within bounds', `raise exception using errcode = '40001', message = repeat('x', 3000000);`, '40001'],
])('what is long that the owner’s function %s is not kept', async (_, body, sqlstate) => {
  await attach(hostile.session);
  await forge('language plpgsql security definer', `begin ${body} end`);
  await insert();
  await whileFilling(async () => {
    expect((await errorOf()).error.sqlstate).toBe(sqlstate);
  });
  const [{ bytes } = { bytes: 0 }] = await db.query<{ bytes: number }>(
    'select max(octet_length(error::text)) as bytes from rafiki.attachment',
  );
  expect(bytes).toBeLessThan(20_000);
});

test("an open transaction that attached another role's model does not block the model's owner", async () => {
  const { modelOwner, database } = stage;
  const [{ owner } = { owner: 0 }] = await db.query<{ owner: number }>(
    `select '${modelOwner.sql}'::regrole::oid::int8 as owner`,
  );
  const undone = new Error('undone');
  const undo = (work: (tx: Queryable) => Promise<unknown>, by = modelOwner.session): Promise<unknown> =>
    by.transaction(async (tx) => {
      await tx.query(`set local lock_timeout = '3s'`);
      await work(tx);
      throw undone;
    });
  const open = undo(async (tx) => {
    await tx.query(`select rafiki_attach('hers', '${table}', 'body', 'mood')`);
    await expect(
      undo((on) => lockModel(on, { name: 'hers', owner, task: 'sentiment' }), database.service),
    ).rejects.toBe(undone);
    await expect(undo((on) => on.query(`select rafiki_drop_model('hers', cascade => true)`))).rejects.toBe(undone);
    await expect(undo((on) => on.query(`select rafiki_set_owner('hers', '${hostile.sql}')`), db)).rejects.toBe(undone);
  }, hostile.session);
  await expect(open).rejects.toBe(undone);
});

test("locks of a role on its own objects, or on those of a dropped table, do not block the removal of other roles' objects", async () => {
  const { otherRole, modelOwner } = stage;
  await attach(hostile.session);
  const [gone] = await db.query<{ oid: number; id: number }>(
    `select target::oid::int8 as oid, id from rafiki.attachment order by id desc limit 1`,
  );
  await hostile.session.query(`drop table ${table}`);
  const other = `${modelOwner.sql}.other${number}`;
  await modelOwner.session.query(`create table ${other} (id int primary key, body text, mood text)`);
  await attach(modelOwner.session, other);
  const undone = new Error('undone');
  const open = otherRole.session.transaction(async (tx) => {
    await tx.query(`select rafiki._forget_attachments($1::oid::regclass)`, [gone?.oid]);
    await modelOwner.session.query(`drop table ${other}`);
    await db.query('select rafiki._drop_readers()');
    expect(
      await db.query(
        'select target::oid::int8 as oid from rafiki.attachment a where not exists (select from pg_class c where c.oid = a.target)',
      ),
    ).toEqual([{ oid: gone?.oid }]);
    throw undone;
  });
  await expect(open).rejects.toBe(undone);
  await db.query('select rafiki._drop_readers()');
  expect(await db.query('select from rafiki.attachment where id = $1', [gone?.id])).toEqual([]);
});

test('a message of hundreds of megabytes ends no process', async () => {
  await attach(hostile.session);
  await forge(
    'language plpgsql security definer',
    `begin perform set_config('client_min_messages', 'notice', false); raise notice '%', repeat('x', 600000000); return '{}'; end`,
  );
  await insert();
  await whileFilling(async () => {
    expect((await errorOf()).error.sqlstate).toBe('54000');
  });
});

test("if a superuser attaches, the code of the table's owner does not run as the superuser", async () => {
  await hostile.session.query(`create table ${table}_ran (who name)`);
  await hostile.session.query(`grant all on ${table}_ran to public`);
  await hostile.session.query(`create function ${table}_fits(v text) returns boolean language plpgsql as
    $$ begin insert into ${table}_ran values (current_user); return true; end $$`);
  await hostile.session.query(`create domain ${table}_label as text check (${table}_fits(value))`);
  await hostile.session.query(`alter table ${table} alter mood type ${table}_label`);
  await attach(db);
  expect(await db.query(`select distinct who from ${table}_ran`)).toEqual([{ who: hostile.name }]);
});

test("errors do not show the owner of a model other roles' rows", async () => {
  await hostile.session.query(`alter table ${table} add amount int`);
  await hostile.session.query(`create function ${table}_amount() returns trigger language plpgsql as
    $$ begin if new.mood is not null then new.amount := new.body::int; end if; return new; end $$`);
  await hostile.session.query(
    `create trigger amount before update on ${table} for each row execute function ${table}_amount()`,
  );
  await attach(hostile.session);
  await insert();
  const seen = (of: LoginRole): Promise<{ last_error: string }[]> =>
    of.session.query(`select last_error from rafiki.attachments where relation like '%inbox${number - 1}'`);
  await whileFilling(() =>
    eventually(
      db,
      `select from rafiki.unanswered u join rafiki.attachment a on a.id = u.attachment_id where a.target = '${table}'::regclass`,
    ),
  );
  expect((await seen(hostile))[0]?.last_error).toContain('good film 4');
  expect(await seen(stage.modelOwner)).toEqual([{ last_error: '22P02' }]);
  for (const column of ['rafiki.unanswered u', 'rafiki.attachment u'])
    expect((await failureOf(stage.modelOwner.session, `select u.error from ${column}`)).code).toBe('42501');
});

test('marks by any role only cause a scan', async () => {
  await attach(hostile.session);
  const [{ id } = { id: 0 }] = await db.query<{ id: number }>('select max(id) as id from rafiki.attachment');
  for (const each of [id, 0, -1]) await stage.otherRole.session.query('select rafiki._mark($1)', [each]);
  expect(await stage.otherRole.session.query('select from rafiki.attachment_mark')).toEqual([]);
  await whileFilling(() =>
    eventually(
      db,
      `select from rafiki.attachment a where id = $1 and waiting_since is null and retry_at > created_at
       and not exists (select from rafiki.attachment_mark m where m.attachment_id = a.id)`,
      [id],
    ),
  );
});
