import { afterEach, beforeEach, expect, test } from 'vitest';
import { install } from '../../src/cli/install/install.ts';
import type { Database } from '../../src/db/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';

/** A role that can call dblink could replace our server by its own for the definers of its session. */
let database: TestDatabase;
let otherRole: Database;
let name: string;
beforeEach(async () => {
  database = await createTestDatabase('template0');
  otherRole = await database.as('other_role');
  const [row] = await otherRole.query<{ name: string }>('select current_user::text as name');
  name = row!.name;
});
afterEach(() => database.drop());

const hintOf = async (): Promise<string> => {
  const refused = await install(database.db).then(
    () => undefined,
    (error: { code: string; message: string; hint: string }) => error,
  );
  expect(refused).toMatchObject({ code: '55000', message: expect.stringContaining('can call dblink') });
  return refused!.hint;
};

test('a dblink that every role can call is refused, until it is moved', async () => {
  await database.db.query('create extension dblink schema public');
  const hint = await hintOf();
  await database.db.query(/create schema .* set schema rafiki_dblink;/.exec(hint)![0]);
  await install(database.db);
  expect(await failureOf(otherRole, `select rafiki_dblink.dblink_connect('rafiki', 'host=evil')`)).toMatchObject({
    code: '42501',
  });
});

test('or no other role may call it', async () => {
  await database.db.query('create extension dblink schema public');
  await database.db.query(/revoke execute .*;/.exec(await hintOf())![0]);
  await install(database.db);
  expect(await failureOf(otherRole, `select dblink_connect('rafiki', 'host=evil')`)).toMatchObject({ code: '42501' });
  await database.db.query(`select rafiki._connect_bridge('127.0.0.1', 1, 'secret')`);
  // rafiki itself can: the error is that no server listens there
  expect(await failureOf(otherRole, 'select rafiki._open_bridge(false)')).toMatchObject({
    code: '08006',
    message: 'the rafiki server does not answer',
  });
});

test('a role that gets the right later is detected by the next installation, even if there is nothing to install', async () => {
  await install(database.db);
  await database.db.query(`grant usage on schema rafiki_dblink to ${name}`);
  await install(database.db); // the right to the schema alone is not enough: its functions are private
  await database.db.query(`grant execute on all functions in schema rafiki_dblink to ${name}`);
  await database.db.query(/revoke execute .*;/.exec(await hintOf())![0]);
  expect(await install(database.db)).toBe('unchanged');
});
