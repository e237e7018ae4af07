import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { type HttpClient, tokenClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';

/** A role with a token wants to run code as rafiki_reader, the login that makes the calls of all tokens. */
let database: TestDatabase;
let db: Database;
let http: TestHttp;
let session: Database;
let role: string;
let asRole: HttpClient;

beforeEach(async () => {
  database = await createTestDatabase();
  ({ db } = database);
  http = await startHttp(database);
  ({ role } = await http.as('mallory'));
  session = await database.as('mallory');
  await db.query(`create schema authorization ${role}`);
  const [row] = await session.query<{ token: string }>(`select rafiki_create_token('app') as token`);
  asRole = tokenClient(http.url, row?.token ?? '');
  await session.query(`create function ${role}.evil() returns text language plpgsql as
    $$ begin ${takeOver}; return 'x'; end $$`);
  await session.query(`grant usage on schema ${role} to public`);
});
afterEach(async () => {
  await http.server.stop();
  await database.drop();
});

const takeOver = `begin execute 'alter role rafiki_reader password ''pwned'''; exception when others then null; end`;

const readerPassword = (): Promise<unknown[]> =>
  db.query(`select rolpassword from pg_authid where rolname = 'rafiki_reader'`);

/** Replaces the function of the token. */
async function forge(kind: string, body: string): Promise<void> {
  const [row] = await db.query<{ head: string }>(
    `select format('create or replace function rafiki_reader.%I(%s) returns setof json', p.proname, oidvectortypes(p.proargtypes)) as head
     from pg_proc p where p.pronamespace = 'rafiki_reader'::regnamespace and p.proowner = '${role}'::regrole`,
  );
  await session.query(`${row?.head} ${kind} as $f$ ${body} $f$`);
}

const me = async (): Promise<number> => (await asRole('GET', '/v1/me')).status;

/** A view that runs a block of PL/pgSQL for each of its rows, and a call that reads it. */
async function readTrap(
  code: string,
): Promise<{ status: number; body: { error?: { code: string; detail?: string } } }> {
  await session.query(
    `create function ${role}.look(text) returns text language plpgsql as $f$ begin ${code} return $1; end $f$`,
  );
  await session.query(
    `create view ${role}.rows as select l as label, ${role}.look(b || n) as body
     from (values ('pos', 'good'), ('neg', 'bad')) v (l, b), generate_series(1, 20) n`,
  );
  return asRole('POST', '/v1/studies', { task: 'sentiment', source: `${role}.rows` });
}

test.each([
  ['its caller', 'language plpgsql', `begin ${takeOver}; return next to_json('x'::text); end`],
  ['its owner', 'language sql security definer', `select to_json('x'::text)`],
])('a replaced function that runs as %s is not called, right after a call', async (_, kind, body) => {
  expect(await me()).toBe(200);
  const before = await readerPassword();
  await forge(kind, body);
  expect(await me()).toBe(401);
  expect(await me()).toBe(401);
  expect(await readerPassword()).toEqual(before);
});

test('nor one that is replaced while it is called', async () => {
  const before = await readerPassword();
  const holder = await db.connect(() => undefined);
  await holder.query('select pg_advisory_lock(4711)');
  const trapped = readTrap('perform pg_advisory_xact_lock(4711);');
  await expect
    .poll(() => db.query(`select from pg_stat_activity where usename = 'rafiki_reader' and wait_event = 'advisory'`))
    .toHaveLength(1);
  await forge('language plpgsql', `begin ${takeOver}; return next to_json('x'::text); end`);
  await holder.close();
  expect(await trapped).toMatchObject({ status: 401 });
  expect(await db.query('select from rafiki.study')).toEqual([]); // rolled back
  expect(await readerPassword()).toEqual(before);
});

test('a cursor that outlives the transaction is refused', async () => {
  const before = await readerPassword();
  const held = `begin execute 'declare c cursor with hold for select ${role}.evil()'; exception when duplicate_cursor then null; end;`;
  const answer = await readTrap(held);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(await readerPassword()).toEqual(before);
});

test('a trigger that is deferred does not run as the reader', async () => {
  const before = await readerPassword();
  await session.query(`create table ${role}.queue (x int)`);
  await session.query(`create function ${role}.late() returns trigger language plpgsql as
    $$ begin perform ${role}.evil(); return null; end $$`);
  await session.query(`create constraint trigger late after insert on ${role}.queue deferrable initially deferred
    for each row execute function ${role}.late()`);
  const answer = await readTrap(`insert into ${role}.queue values (1);`);
  if (postgresVersion() < 18) expect(answer).toMatchObject({ status: 409, body: { error: { code: '55000' } } });
  else expect(answer.status).toBe(201);
  expect(await readerPassword()).toEqual(before);
});

test('a search path that a call has set is not that of the checks after it', async () => {
  const before = await readerPassword();
  for (const name of ['pg_proc', 'pg_cursors', 'pg_trigger']) {
    await session.query(`create view ${role}.${name} as select ${role}.evil() as evil, t.* from pg_catalog.${name} t`);
    await session.query(`grant select on ${role}.${name} to public`);
  }
  const answer = await readTrap(`perform set_config('search_path', '${role}, pg_catalog', false);`);
  expect([201, 400]).toContain(answer.status);
  expect(await me()).toBe(200);
  expect(await readerPassword()).toEqual(before);
});

test('a table with a deferrable trigger is read as any other', async () => {
  await session.query(
    `create function ${role}.noted() returns trigger language plpgsql as $$ begin return null; end $$`,
  );
  await session.query(`create table ${role}.films as
    select case when n % 2 = 0 then 'pos' else 'neg' end as label, 'film ' || n as body from generate_series(1, 40) n`);
  await session.query(`create constraint trigger noted after insert on ${role}.films deferrable initially deferred
    for each row execute function ${role}.noted()`);
  expect(await asRole('POST', '/v1/studies', { task: 'sentiment', source: `${role}.films` })).toMatchObject({
    status: 201,
  });
});

test('sessions that have ended leave no admission', async () => {
  expect(await me()).toBe(200);
  expect(await db.query('select from rafiki.reading')).toHaveLength(1);
  await http.server.stop();
  await expect.poll(() => db.query('select from rafiki.reading')).toEqual([]);
});
