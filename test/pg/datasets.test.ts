import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DataCache, type StudySource } from '../../src/datasets/data-cache.ts';
import type { LabelledRow } from '../../src/datasets/data-file.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { readDataFile } from '../support/read-data-file.ts';
import { smallDisk } from '../support/small-disk.ts';
import { insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
let alice: string;
let dir: string;
let models = 0;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  await (await database.as('alice')).query('select 1');
  [{ alice }] = (await db.query<{ alice: string }>(
    `select rolname as alice from pg_roles where rolname like 'alice%' || current_database()`,
  )) as [{ alice: string }];
  await db.query(`grant create, usage on schema public to ${alice}`);
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
});
afterEach(async () => {
  rmSync(dir, { recursive: true, force: true });
  await db.query(`drop owned by ${alice} cascade`);
  await database.drop();
});

const cacheIn = (folder: string): DataCache =>
  new DataCache({ database: database.service, dir: folder, logger: silentLogger });

const textsIn = (file: string): Promise<LabelledRow[]> => readDataFile(file, 'sentiment');

/** A study of alice's on a relation of hers; returns what the worker reads for it. */
async function read(source: string): Promise<[string, string][]> {
  const id = await insertStudy(db, { source, owner: alice, model: `m${models++}` });
  const file = await cacheIn(dir).file({ id, createdAt: String(id), task: 'sentiment' }, new AbortController());
  return (await textsIn(file)).map(({ label, input }): [string, string] => [String(label), String(input)]);
}

const asAlice = (sql: string): Promise<unknown> =>
  db.transaction(async (tx) => {
    await tx.query(`set local role ${alice}`);
    for (const statement of sql.split(';;')) await tx.query(statement);
  });

describe('reading a source as the owner of the study', () => {
  test('returns every text unchanged, and leaves out rows without label or text', async () => {
    const texts = ['plain', 'back\\slash \\n', 'line\nend\r\n', 'quote " \u2028 \u0001\u0002', '\\.', '', 'ünï 🙂'];
    await db.query(`create table t (label boolean, body text)`);
    await db.query('insert into t select true, unnest($1::text[])', [texts]);
    await db.query(`insert into t values (null, 'x'), (true, null)`);
    await db.query(`grant select on t to ${alice}`);
    expect(await read('t')).toEqual(texts.map((text) => ['true', text]));
  });

  test('works with quoted names, partitioned tables, views and materialised views', async () => {
    await asAlice(`create table "Odd ""Name%s" (label text, body text) partition by list (label);;
      create table part partition of "Odd ""Name%s" default;;
      insert into "Odd ""Name%s" values ('a', 'b');;
      create view v as select * from "Odd ""Name%s";;
      create materialized view mv as select * from v`);
    for (const source of ['"Odd ""Name%s"', 'v', 'mv']) expect(await read(source)).toEqual([['a', 'b']]);
  });

  test('sees only the rows that row-level security shows the owner', async () => {
    await db.query(`create table t (label text, body text);`);
    await db.query(`insert into t values ('a', 'mine'), ('b', 'secret')`);
    await db.query(`alter table t enable row level security`);
    await db.query(`create policy p on t using (label = 'a')`);
    await db.query(`grant select on t to ${alice}`);
    expect(await read('t')).toEqual([['a', 'mine']]);
  });

  test('needs the right to the two columns only', async () => {
    await db.query(`create table t (label text, body text, salary int)`);
    await db.query(`insert into t values ('a', 'b', 1)`);
    await db.query(`grant select (label, body) on t to ${alice}`);
    expect(await read('t')).toEqual([['a', 'b']]);
    await db.query(`revoke select (body) on t from ${alice}`);
    await expect(read('t')).rejects.toMatchObject({ sqlstate: '42501', name: 'StatementRefused' });
  });

  test.each([
    ['resets the role', `set_config('role', 'none', false)`],
    ['takes the role of the service', `set_config('role', 'postgres', false)`],
    ['takes its session', `set_config('session_authorization', 'postgres', false)`],
  ])('refuses a view whose function %s', async (_, attack) => {
    await db.query('create table secret (body text)');
    await asAlice(`create function public.attack() returns text language plpgsql as $$
        begin perform ${attack}; return (select body from public.secret limit 1); end $$;;
      create view v as select 'a' as label, public.attack() as body`);
    await expect(read('v')).rejects.toMatchObject({ sqlstate: '42501' });
  });

  test('runs a view as its owner even if the view checks the role, and read-only', async () => {
    await asAlice(`create view v as select current_user::text as label, 'x' as body`);
    expect(await read('v')).toEqual([[alice, 'x']]);
    await asAlice(`create table hers (i int);;
      create function public.scribble() returns text language sql volatile as 'insert into public.hers values (1) returning ''x''';;
      create view w as select 'a' as label, public.scribble() as body`);
    await expect(read('w')).rejects.toMatchObject({ sqlstate: '25006' });
  });

  test('leaves nothing behind in the database', async () => {
    await asAlice(`create table hers (label text, body text);; insert into hers values ('a', 'b')`);
    await read('hers');
    await db.query(`update rafiki.study set state = 'completed'`);
    expect(await database.service.query('select rafiki._drop_readers() as dropped')).toEqual([{ dropped: 1 }]);
    expect(await db.query(`select proname from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`)).toEqual(
      [],
    );
  });

  test('nor objects of other roles in the schema of the readers, even if some cannot be dropped', async () => {
    await asAlice(`create table hers (label text, body text);; insert into hers values ('a', 'b')`);
    await read('hers');
    await db.query(`update rafiki.study set state = 'completed'`);
    const mallory = await database.as('mallory');
    await mallory.query('create temporary table mine (i int)');
    await mallory.query(`
      do $$ begin
        for i in 1..100 loop
          execute format('create function rafiki_reader.%I(mine) returns int language sql return 1', i);
        end loop;
      end $$`);
    await mallory.query(`
      create table rafiki_reader.t (r text);
      create view rafiki_reader.v as select 1 as x;
      create materialized view rafiki_reader."M v" as select 1 as x;
      create type rafiki_reader.e as enum ('a');
      create type rafiki_reader.c as (x int);
      create domain rafiki_reader.d as int check (value > 0);
      create sequence rafiki_reader.s;
      create collation rafiki_reader.k from "C";
      create aggregate rafiki_reader.g (int) (sfunc = int4pl, stype = int);
      create procedure rafiki_reader.p() language sql as 'select 1';
      create operator rafiki_reader.### (leftarg = int, rightarg = int, function = int4pl);
      create text search configuration rafiki_reader.ts (copy = english)`);
    const there = async (): Promise<string[]> => {
      const rows = await db.query<{ what: string }>(`
        select i.type || ' ' || i.identity as what from pg_depend d, pg_identify_object(d.classid, d.objid, 0) i
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = 'rafiki_reader'::regnamespace and i.identity !~ 'pg_temp'`);
      return rows.map(({ what }) => what);
    };
    expect((await there()).length).toBeGreaterThan(12);
    for (let round = 0; round < 3; round++) await database.service.query('select rafiki._drop_readers()');
    expect(await there()).toEqual([]);
  });

  test('leaves out and counts rows with too long a label if the study skips bad rows, and otherwise names one', async () => {
    await db.query(`create table t (label text, body text)`);
    await db.query(`grant select on t to ${alice}`);
    await db.query(`insert into t select repeat('x', 1000 + i), 'text' from generate_series(0, 2) i`);
    await expect(read('t')).rejects.toMatchObject({
      sqlstate: '22000',
      detail: expect.stringMatching(/^Row 2 as read: /),
    });
    await db.query(`alter table rafiki.study alter column on_bad_row set default 'skip'`);
    expect(await read('t')).toEqual([['x'.repeat(1000), 'text']]);
    expect(await db.query('select skipped_rows from rafiki.study order by id desc limit 1')).toEqual([
      { skipped_rows: 2 },
    ]);
  });

  test('raises an error if the source does not exist', async () => {
    await db.query('create table t (label text, body text)');
    const id = await insertStudy(db, { source: 't' });
    await db.query('drop table t');
    const reading = cacheIn(dir).file({ id, createdAt: 'x', task: 'sentiment' }, new AbortController());
    await expect(reading).rejects.toMatchObject({ sqlstate: '42P01' });
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('the cache of data files', () => {
  const studyKey = async (): Promise<StudySource> => {
    const id = await insertStudy(db, { source: 't', model: `m${models++}` });
    const [row] = await db.query<{ id: number; createdAt: string }>(
      `select id, extract(epoch from created_at)::text as "createdAt" from rafiki.study where id = $1`,
      [id],
    );
    return { ...row!, task: 'sentiment' };
  };

  beforeEach(async () => {
    await db.query(`create table t (label text, body text)`);
    await db.query(`insert into t values ('a', 'b')`);
  });

  test('reads once for concurrent requests, and is private to the user', async () => {
    const key = await studyKey();
    const caches = Array.from({ length: 4 }, () => cacheIn(path.join(dir, 'deep')));
    const files = await Promise.all(caches.map((cache) => cache.file(key, new AbortController())));
    expect(new Set(files).size).toBe(1);
    await db.query(`insert into t values ('late', 'row')`);
    expect(await textsIn(await caches[0]!.file(key, new AbortController()))).toHaveLength(1);
    expect(statSync(path.join(dir, 'deep')).mode & 0o777).toBe(0o700);
    expect(statSync(files[0]!).mode & 0o777).toBe(0o600);
  });

  test('deletes the file when the study has ended, not before', async () => {
    const key = await studyKey();
    const cache = cacheIn(dir);
    await cache.file(key, new AbortController());
    await cache.sweep();
    expect(readdirSync(dir)).toHaveLength(1);
    await db.query(`update rafiki.study set state = 'completed'`);
    await cache.sweep();
    expect(readdirSync(dir)).toEqual([]);
  });

  test('makes room for the next file: the least recently used one is read again where it is needed', async () => {
    const [first, second, third] = [await studyKey(), await studyKey(), await studyKey()];
    const cacheLimitBytes = 50; // more than one file has, less than two
    const cache = new DataCache({ database: database.service, dir, logger: silentLogger, cacheLimitBytes });
    const read = (key: StudySource): Promise<string> => cache.file(key, new AbortController());
    const usedBefore = (file: string, seconds: number): void => {
      const then = Date.now() / 1000 - seconds;
      utimesSync(file, then, then);
    };
    const files = [await read(first), await read(second)];
    usedBefore(files[0]!, 200);
    usedBefore(files[1]!, 100);
    await read(third);
    expect([existsSync(files[0]!), existsSync(files[1]!)]).toEqual([false, true]);
    expect(await textsIn(await read(first))).toHaveLength(1);
  });

  test('reads the source again if the file is damaged, or is a link', async () => {
    const key = await studyKey();
    const file = await cacheIn(dir).file(key, new AbortController());
    const whole = readFileSync(file);
    const elsewhere = path.join(dir, 'elsewhere');
    writeFileSync(elsewhere, whole);
    const spoil = [
      () => writeFileSync(file, whole.subarray(0, -1)),
      () => writeFileSync(file, '["label", "of another user"]\n'),
      () => {
        rmSync(file);
        symlinkSync(elsewhere, file);
      },
    ];
    for (const spoilt of spoil) {
      spoilt();
      await cacheIn(dir).file(key, new AbortController());
      expect(readFileSync(file).equals(whole)).toBe(true);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
    expect(readFileSync(elsewhere).equals(whole)).toBe(true);
  });

  test('refuses more data than the limit, with the amount read', async () => {
    await db.query(
      `create table large as select 'a' as label, repeat(i::text, 1000) as body from generate_series(1, 2000) i`,
    );
    const id = await insertStudy(db, { source: 'large' });
    const cache = new DataCache({ database: database.service, dir, limitBytes: 2 ** 20, logger: silentLogger });
    const reading = cache.file({ id, createdAt: 'x', task: 'sentiment' }, new AbortController());
    await expect(reading).rejects.toMatchObject({
      sqlstate: '54000',
      detail: expect.stringMatching(/^1\.?\d* MB were read so far; the limit is 1 MB\.$/),
      hint: expect.stringContaining('RAFIKI_DATA_LIMIT'),
    });
    expect(readdirSync(dir)).toEqual([]);
  });

  test('reports a full disk, and leaves no partial file', async ({ skip }) => {
    const disk = smallDisk();
    if (disk === undefined) return skip('this process may not mount');
    try {
      await db.query(
        `create table large as select 'a' as label, repeat(i::text, 1000) as body from generate_series(1, 2000) i`,
      );
      const id = await insertStudy(db, { source: 'large' });
      const study = { id, createdAt: 'x', task: 'sentiment' } as const;
      const reading = cacheIn(disk.dir).file(study, new AbortController());
      await expect(reading).rejects.toMatchObject({ sqlstate: '58000', detail: expect.stringContaining(disk.dir) });
      expect(readdirSync(disk.dir)).toEqual([]);
    } finally {
      disk.remove();
    }
  });

  test('ends a read that is refused before its first row, and leaves nothing', async () => {
    const key = await studyKey();
    const [study] = await db.query<{ reader: string }>('select reader from rafiki.study where id = $1', [key.id]);
    await db.query(`do $$ begin execute format(
      'alter function %s owner to rafiki_owner', (select oid::regprocedure from pg_proc where proname = '${study?.reader}'));
    end $$`);
    const reading = cacheIn(dir).file(key, new AbortController());
    await expect(reading).rejects.toMatchObject({
      sqlstate: '55000',
      message: expect.stringContaining('another role'),
    });
    expect(readdirSync(dir)).toEqual([]);
  });

  test('takes no lock that another role can take', async () => {
    const id = await insertStudy(db, { source: 't' });
    const holder = await db.connect(() => undefined);
    await holder.query('begin; lock t in access exclusive mode'); // the read waits for it
    const reading = cacheIn(dir).file({ id, createdAt: 'x', task: 'sentiment' }, new AbortController());
    await expect.poll(() => readdirSync(dir).filter((name) => name.endsWith('.lock'))).toHaveLength(1);
    await expect
      .poll(() =>
        db.query(
          `select from pg_stat_activity where usename = 'rafiki_reader' and datname = current_database() and wait_event_type = 'Lock'`,
        ),
      )
      .toHaveLength(1);
    expect(
      await db.query(
        `select * from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
      ),
    ).toEqual([]);
    await holder.query('commit');
    await holder.close();
    await reading;
    expect(readdirSync(dir).filter((name) => name.endsWith('.lock'))).toEqual([]);
  });

  test('stops waiting for a slow source when aborted', async () => {
    await db.query(`create view slow as select 'a' as label, pg_sleep(30)::text as body`);
    const id = await insertStudy(db, { source: 'slow' });
    const abort = new AbortController();
    const reading = cacheIn(dir).file({ id, createdAt: 'x', task: 'sentiment' }, abort);
    const reads = `
      select from pg_stat_activity where usename = 'rafiki_reader' and datname = current_database() and state = 'active'`;
    await expect.poll(() => db.query(reads)).toHaveLength(1);
    abort.abort();
    await expect(reading).rejects.toMatchObject({ sqlstate: '57014' });
    await expect.poll(() => db.query(reads)).toEqual([]); // and its backend does not continue
  });
});
