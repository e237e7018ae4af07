import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { install } from '../../src/cli/install/install.ts';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import { version } from '../../src/runtime/version.ts';
import { catalogue } from '../support/catalogue.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';

/** As a script: objects that CREATE EXTENSION recreates have their rights wherever they are restored. */
const script = readFileSync(path.join(extensionDir, 'extension', `rafiki--${version}.sql`), 'utf8');

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase('template0');
  await database.db.query(script);
});
afterEach(() => database.drop());

/** What pg_restore leaves of rights and owners where the roles are missing, or with --no-owner --no-acl. */
async function loseRights(): Promise<void> {
  const ours = `('rafiki'::regnamespace, 'rafiki_reader'::regnamespace)`;
  for (const sql of [
    `update pg_proc set proacl = null, proowner = 10 where pronamespace in ${ours}`,
    `update pg_class set relacl = null, relowner = 10 where relkind in ('r', 'v') and relnamespace in ${ours}`,
    `update pg_namespace set nspacl = null, nspowner = 10 where oid in ${ours}`,
    `delete from pg_policy where polname = 'service'`,
  ])
    await database.db.query(sql);
}

test('a database restored without owners and rights is repaired, and trusts no server', async () => {
  const before = await catalogue(database.db);
  const carol = await database.as('carol');
  const attack = `select rafiki._rotate_secret('hers')`;
  await loseRights();
  await database.db.query('grant usage on schema rafiki to public'); // the obvious repair by hand
  await carol.query(attack);

  expect(await install(database.db)).toBe('repaired');
  expect(await catalogue(database.db)).toEqual(before);
  expect(await failureOf(carol, attack)).toMatchObject({ code: '42501' });
  expect((await database.db.query('select from rafiki.bridge')).length).toBe(0);
  expect(await install(database.db)).toBe('unchanged');
});
