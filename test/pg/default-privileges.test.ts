import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { install } from '../../src/cli/install/install.ts';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import { version } from '../../src/runtime/version.ts';
import { catalogue } from '../support/catalogue.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const script = readFileSync(path.join(extensionDir, 'extension', `rafiki--${version}.sql`), 'utf8');

let database: TestDatabase;
let fresh: TestDatabase;
let otherRole: Awaited<ReturnType<TestDatabase['as']>>;
/** The role of `otherRole`. */
let name: string;
beforeEach(async () => {
  database = await createTestDatabase('template0');
  fresh = await createTestDatabase('template0');
  otherRole = await database.as('other_role');
  const [row] = await otherRole.query<{ name: string }>('select current_user::text as name');
  name = row!.name;
});
afterEach(async () => {
  await database.db.query(`drop owned by ${name}`);
  await fresh.drop();
  await database.drop();
});

/** The default privileges of the installing role. */
const defaults = (target: string): string[] =>
  ['tables', 'sequences', 'functions', 'schemas', 'types'].map(
    (kind) => `alter default privileges grant all on ${kind} to ${target}`,
  );

test('default privileges of the installing role give no other role any rights', async () => {
  for (const sql of [...defaults(`${name} with grant option`), ...defaults('public')]) await database.db.query(sql);
  await install(database.db);
  await install(fresh.db);
  for (const secret of [
    'select * from rafiki.bridge',
    `select rafiki._rotate_secret('mine')`,
    `select nextval('rafiki.study_id_seq')`,
    `insert into rafiki.quota (name, value, title) values ('mine', 1, 'x')`,
    `select rafiki_dblink.dblink_connect('rafiki', 'host=evil')`,
    `create table rafiki.mine ()`,
  ])
    await expect(otherRole.query(secret), secret).rejects.toMatchObject({ code: '42501' });
  expect(await catalogue(database.db)).toEqual(await catalogue(fresh.db));
});

test('and take none away, neither from the roles that use it nor from its owner', async () => {
  const [installer] = await database.db.query<{ name: string }>('select current_user::text as name');
  for (const [kind, right] of [
    ['functions', 'public'],
    ['types', 'public'],
    ...['tables', 'sequences', 'functions', 'schemas', 'types'].map((each) => [each, installer!.name]),
  ])
    await database.db.query(`alter default privileges revoke all on ${kind} from ${right}`);
  await install(database.db);
  await install(fresh.db);
  expect(await otherRole.query('select * from rafiki.studies')).toEqual([]);
  await expect(otherRole.query(`select rafiki_predict('none', 'x')`)).rejects.toMatchObject({ code: '42704' });
  expect(await catalogue(database.db)).toEqual(await catalogue(fresh.db));
});

test('privileges granted by hand are revoked by an upgrade', async () => {
  for (const each of [database, fresh]) await each.db.transaction((tx) => tx.query(script));
  for (const sql of [
    `grant all on all tables in schema rafiki to ${name} with grant option`,
    `grant update (value) on rafiki.quota to ${name}`,
    `grant all on all functions in schema rafiki to ${name}`,
    `grant all on schema rafiki, rafiki_reader, rafiki_dblink to ${name}`,
    `revoke all on function rafiki_predict(text, text, interval) from public`,
  ])
    await database.db.query(sql);
  const { prologue, idempotent } = JSON.parse(readFileSync(path.join(extensionDir, 'parts.json'), 'utf8'));
  await database.db.transaction((tx) => tx.query(prologue + idempotent));
  await fresh.db.transaction((tx) => tx.query(prologue + idempotent));
  expect(await catalogue(database.db)).toEqual(await catalogue(fresh.db));
});
