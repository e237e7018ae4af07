import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { install } from '../../src/cli/install/install.ts';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import { uninstall } from '../../src/cli/install/uninstall.ts';
import type { Database } from '../../src/db/database.ts';
import { version } from '../../src/runtime/version.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
beforeEach(async () => {
  database = await createTestDatabase('template0');
  db = database.db;
});
afterEach(() => database.drop());

/** All objects of the database that are not Postgres' own, except languages and those of other databases. */
const everything = (): Promise<unknown[]> =>
  db.query(`
    select 'schema ' || nspname as what from pg_namespace where nspname !~ '^pg_(toast|temp)'
    union all select 'routine ' || p.oid::regprocedure from pg_proc p where p.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    union all select 'relation ' || c.oid::regclass from pg_class c
      where c.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
    union all select 'extension ' || extname from pg_extension
    union all select 'server ' || srvname from pg_foreign_server
    union all select 'trigger ' || tgname from pg_trigger where not tgisinternal
    order by 1`);

const ways: [string, () => Promise<unknown>][] = [
  ['an extension', () => install(db)],
  [
    'a script',
    () =>
      db.transaction((tx) =>
        tx.query(readFileSync(path.join(extensionDir, `extension/rafiki--${version}.sql`), 'utf8')),
      ),
  ],
];

test.each(ways)('an installation as %s is removed completely, and can be repeated', async (_, bringIn) => {
  await createReviews(db, 20);
  await db.query('create table inbox (body text, mood text)');
  const before = await everything();
  await bringIn();
  await db.query(`select rafiki._connect_bridge('127.0.0.1', 1, 'secret')`);
  await db.query(`select rafiki_train('sentiment', 'reviews')`);
  await db.query(`insert into rafiki.model (name, task, owner) values ('m', 'sentiment', current_user::regrole)`);
  await db.query(`select rafiki_attach('m', 'inbox', 'body', 'mood')`);
  await uninstall(db);
  expect(await everything()).toEqual(before);
  expect(await db.query(`insert into inbox values ('x') returning mood`)).toEqual([{ mood: null }]);
  expect(await install(db)).toMatch(/^as/);
});

test('nothing is removed while other objects use it, and the error lists them', async () => {
  await install(db);
  await db.query(`create view moods as select rafiki_predict('m', 'x') as mood`);
  await db.query(`create table kept (id int, study rafiki.studies)`);
  await db.query(`create function own() returns text language sql return rafiki_predict('m', 'x')`);
  const before = await everything();
  await expect(uninstall(db)).rejects.toMatchObject({
    code: '2BP01',
    detail: 'By: function public.own(), relation public.kept, relation public.moods.',
  });
  expect(await everything()).toEqual(before);
});

test('reports if rafiki is not installed, or if the role lacks the right', async () => {
  await expect(uninstall(db)).rejects.toMatchObject({ code: '3F000' });
  await install(db);
  await expect(uninstall(await database.as('alice'))).rejects.toMatchObject({ code: '42501' });
});
