import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import type { TrainedModel } from '../../src/domain/training.ts';
import { type HttpClient, httpClient, tokenClient } from '../support/http-client.ts';
import type { TestHttp } from '../support/http-server.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { trainTinyModel } from '../support/tiny-model.ts';
import { createToken, sha256, startTokenStage, type TokenStage, tokenCallOf } from '../support/token-stage.ts';

/** Attacks by roles that have a token, or know of one. */
let trained: TrainedModel;
let stage: TokenStage;
let database: TestDatabase;
let db: Database;
let http: TestHttp;
let mallory: Database;
let malloryRole: string;
let victim: Database;
let victimRole: string;
let victimToken: string;
let asVictim: HttpClient;
let reader: Database;

beforeAll(async () => {
  trained = await trainTinyModel();
});
beforeEach(async () => {
  stage = await startTokenStage(trained);
  ({ database, db, http, mallory, malloryRole, victim, victimRole, victimToken, asVictim, reader } = stage);
});
afterEach(() => stage.stop());

const predict = (client: HttpClient, model: string) =>
  client<{ prediction?: string }>('POST', `/v1/models/${model}/predict`, { query: 'good film' });

const status = async (client: HttpClient): Promise<number> => (await client('GET', '/v1/me')).status;

test("one role's token answers with its own data only, also when two are used at once", async () => {
  const asMallory = tokenClient(http.url, await createToken(mallory, 'app'));
  // on a busy machine a connection may take more than ten seconds: then the same request is sent again
  const statusOf = async (client: HttpClient, attempts = 3): Promise<number> => {
    const { status: found } = await predict(client, 'secret');
    return found === 503 && attempts > 1 ? statusOf(client, attempts - 1) : found;
  };
  const asked = Array.from({ length: 100 }, (_, i) => statusOf(i % 2 === 0 ? asVictim : asMallory));
  expect(await Promise.all(asked)).toEqual(asked.map((_, i) => (i % 2 === 0 ? 200 : 404)));
  const models = async (client: HttpClient) =>
    (await client<{ models: { model: string }[] }>('GET', '/v1/models')).body.models.map(({ model }) => model);
  const lists = await Promise.all(Array.from({ length: 20 }, (_, i) => models(i % 2 === 0 ? asVictim : asMallory)));
  expect(lists).toEqual(lists.map((_, i) => (i % 2 === 0 ? ['open', 'secret'] : ['open'])));
  expect((await asMallory('GET', '/v1/tokens')).body).toMatchObject({ tokens: [{ name: 'app' }] });
});

test('forged and malformed tokens are refused, and slowed by address', async () => {
  const forged = [
    `rafiki_${'0'.repeat(64)}`,
    victimToken.toUpperCase(),
    victimToken.slice(0, -1),
    `${victimToken}0`,
    sha256(victimToken),
    `rafiki_${sha256(victimToken)}`,
    `rafiki_${sha256(sha256(victimToken))}`,
    "' or true --",
    '%',
  ];
  expect(await status(asVictim)).toBe(200);
  for (const token of forged) expect([token, await status(tokenClient(http.url, token))]).toEqual([token, 401]);
  const more = await Promise.all(Array.from({ length: 20 }, (_, i) => status(tokenClient(http.url, `rafiki_${i}`))));
  expect(more).toContain(429);
  expect(await status(asVictim)).toBe(200); // signed in before
});

test('a token is not a password, nor a password a token', async () => {
  expect(await status(httpClient(http.url, victimRole, victimToken))).toBe(401);
  expect(await status(tokenClient(http.url, 'secret'))).toBe(401);
});

test('expired and revoked tokens end, those kept by the server within seconds', async () => {
  expect((await predict(asVictim, 'secret')).status).toBe(200);
  await victim.query(`select rafiki_revoke_token('app')`);
  expect(await status(asVictim)).toBe(401); // its function refuses at once
  await expect.poll(async () => (await predict(asVictim, 'secret')).status, { timeout: 8_000 }).toBe(401);

  const short = tokenClient(http.url, await createToken(victim, 'short'));
  expect(await status(short)).toBe(200);
  await db.query(`update rafiki.token set expires_at = now() where name = 'short'`);
  expect(await status(short)).toBe(401);
});

test.each([
  ['nologin', 'login'],
  ['connection limit 0', 'connection limit -1'],
  [`valid until '2020-01-01'`, `valid until 'infinity'`],
  ['superuser', 'nosuperuser'],
])('a role that was changed to %s has no tokens', async (change, back) => {
  expect((await predict(asVictim, 'secret')).status).toBe(200);
  await db.query(`alter role ${victimRole} ${change}`);
  expect(await status(asVictim)).toBe(401);
  await expect.poll(async () => (await predict(asVictim, 'secret')).status, { timeout: 8_000 }).toBe(401);
  await db.query(`alter role ${victimRole} ${back}`);
});

test('a role without CONNECT has none', async () => {
  const [row] = await db.query<{ name: string }>('select current_database() as name');
  await db.query(`revoke connect on database ${row?.name} from public`);
  expect(await status(asVictim)).toBe(401);
});

test('a token ends with its role, and does not pass to another one', async () => {
  await expect(db.query(`drop role ${victimRole}`)).rejects.toMatchObject({ code: '2BP01' });
  await db.query(`reassign owned by ${victimRole} to ${malloryRole}`);
  expect(await status(asVictim)).toBe(401);
  await db.query(`drop owned by ${victimRole}`);
  await db.query(`drop role ${victimRole}`);
  expect(await status(asVictim)).toBe(401);
  await database.service.query('select rafiki._drop_readers()');
  expect(await db.query('select from rafiki.token')).toEqual([]);
});

test('a renamed role keeps its token', async () => {
  expect(await status(asVictim)).toBe(200);
  await db.query(`alter role ${victimRole} rename to ${victimRole}_renamed`);
  await expect
    .poll(async () => (await asVictim('GET', '/v1/me')).body, { timeout: 8_000 })
    .toEqual({ role: `${victimRole}_renamed`, roles: [] });
  await db.query(`alter role ${victimRole}_renamed rename to ${victimRole}`);
});

test('nobody makes a token for a role that has not logged in', async () => {
  await db.query(`grant ${victimRole} to ${malloryRole}`);
  await mallory.query(`set role ${victimRole}`);
  expect(await failureOf(mallory, `select rafiki_create_token('mine')`)).toMatchObject({ code: '42501' });
  await mallory.query('reset role');
  // code of the victim's own that is called by others
  await victim.query(
    `create function ${victimRole}.make() returns text language sql security definer as $$ select public.rafiki_create_token('mine') $$`,
  );
  await db.query(`grant usage on schema ${victimRole} to public`);
  expect(await failureOf(mallory, `select ${victimRole}.make()`)).toMatchObject({ code: '42501' });
  expect(await failureOf(db, `select rafiki_create_token('mine')`)).toMatchObject({ code: '42501' }); // a superuser
  expect(await failureOf(reader, `select public.rafiki_create_token('mine')`)).toMatchObject({ code: '42501' });
  expect(await failureOf(database.service, `select public.rafiki_create_token('mine')`)).toMatchObject({
    code: '42501',
  });
});

test('nobody registers a function of another role, nor one of its own with another text as a token', async () => {
  const [found] = await db.query<{ reader: string }>('select reader::text from rafiki.token');
  const add = `select rafiki._add_token('mine', '1 day', false, $1::uuid, $2, $3)`;
  for (const ticket of ['x', victimToken, sha256(victimToken)])
    await expect(mallory.query(add, [found?.reader, ticket, sha256('mine')])).rejects.toMatchObject({ code: '42501' });
  // registered, but not what a token's function is: nothing of it ever runs
  const [made] = await mallory.query<{ reader: string; ticket: string }>(`
    with r as materialized (select gen_random_uuid() as reader)
    select reader, rafiki._create_reader(reader, 'setof json volatile', 'select to_json(current_user)', rafiki._token_arguments()) as ticket from r`);
  await mallory.query(add, [made?.reader, made?.ticket, sha256(sha256('rafiki_mine'))]);
  expect(await status(tokenClient(http.url, 'rafiki_mine'))).toBe(401);
  expect(await db.query(`select from rafiki._live_token($1)`, [sha256(sha256('rafiki_mine'))])).toEqual([]);
});

test('a function that its owner has replaced is not called', async () => {
  expect(await status(asVictim)).toBe(200);
  const [row] = await db.query<{ head: string }>(
    `select format('create or replace function rafiki_reader.%I(%s) returns setof json language sql', p.proname, oidvectortypes(p.proargtypes)) as head
     from pg_proc p where p.pronamespace = 'rafiki_reader'::regnamespace`,
  );
  await victim.query(
    `create table ${victimRole}.called (who name); grant insert, select on ${victimRole}.called to public`,
  );
  await db.query(`grant usage on schema ${victimRole} to public`);
  await victim.query(
    `${row?.head} begin atomic insert into ${victimRole}.called values (session_user) returning to_json(who); end`,
  );
  for (let i = 0; i < 3; i++) expect(await status(asVictim)).toBe(401); // also the first, for which the sign-in is kept
  await victim.query(`${row?.head} as $$ select to_json(session_user) $$`);
  expect(await status(asVictim)).toBe(401);
  expect(await db.query(`select from ${victimRole}.called`)).toEqual([]);
});

test("a session of the reader calls no token's function without the service and the token", async () => {
  const session = await reader.connect(() => undefined);
  const call = `select ${await tokenCallOf(db, victimRole)}`;
  expect(await failureOf(session, call.replace('$1', `'${sha256(victimToken)}'`).replace('$2', `'me'`))).toMatchObject({
    code: '42501',
  });
  // admitted by the service, as code within a session of that token is
  const [backend] = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
  await database.service.query(`insert into rafiki.reading (pid, ticket) select $1, ticket from rafiki.token`, [
    backend?.pid,
  ]);
  for (const proof of [victimToken, sha256(sha256(victimToken)), '', 'null'])
    await expect(session.query(call, [proof, 'me'])).rejects.toMatchObject({ code: '28000' });
  expect(await session.query(call, [sha256(victimToken), 'me'])).toHaveLength(1);
  for (const name of ['train; drop', 'nothing', '', '%', 'me(jsonb)'])
    await expect(session.query(call, [sha256(victimToken), name])).rejects.toMatchObject({ code: '42883' });
  await session.close();
});

test('no role finds the tokens of another one', async () => {
  for (const sql of [
    'select * from rafiki.token',
    'select hash from rafiki.token',
    'select rafiki._live_token(repeat($$0$$, 64))',
  ])
    expect(await failureOf(mallory, sql)).toMatchObject({ code: '42501' });
  expect(await mallory.query('select * from rafiki.tokens')).toEqual([]);
  expect(await mallory.query('select * from rafiki.token_ownership')).toEqual([]);
  expect(await failureOf(mallory, `select rafiki_revoke_token('app', '${victimRole}')`)).toMatchObject({
    code: '42704',
  });
  expect(await mallory.query('select rafiki._remove_token(gen_random_uuid()) as removed')).toEqual([
    { removed: false },
  ]);
  // comparisons that could be made before the right is checked
  const plan = await mallory.query<{ 'QUERY PLAN': string }>(
    `explain (verbose, costs off) select from rafiki.tokens where name = 'app'`,
  );
  const lines = plan.map((line) => line['QUERY PLAN']);
  const compared = lines.findIndex((line) => line.includes(`'app'`));
  const checked = lines.findIndex((line) => line.includes('pg_has_role'));
  expect(compared).toBeGreaterThanOrEqual(0);
  expect(checked).toBeGreaterThan(compared); // below it in the plan
});

test('a member sees and ends the tokens of its role, and not after the membership', async () => {
  await db.query(`grant ${victimRole} to ${malloryRole}`);
  const other = tokenClient(http.url, await createToken(victim, 'other'));
  expect(await status(other)).toBe(200);
  const names = (): Promise<unknown[]> => mallory.query('select name from rafiki.tokens order by name');
  expect(await names()).toEqual([{ name: 'app' }, { name: 'other' }]);
  await mallory.query('select rafiki_revoke_token($1, $2)', ['other', victimRole]);
  expect(await names()).toEqual([{ name: 'app' }]);
  expect(await status(other)).toBe(401);
  await db.query(`revoke ${victimRole} from ${malloryRole}`);
  expect(await names()).toEqual([]);
  expect(await failureOf(mallory, `select rafiki_revoke_token('app', '${victimRole}')`)).toMatchObject({
    code: '42704',
  });
  expect(await status(asVictim)).toBe(200);
});

test("no token is in our log, an answer or Postgres's log of statements", async () => {
  const [row] = await db.query<{ name: string; dir: string }>(
    `select current_database() as name, current_setting('data_directory') as dir`,
  );
  await db.query(`alter database ${row?.name} set log_statement = 'all'`); // of sessions that begin now
  const token = await createToken(await database.as('victim'), 'logged');
  const client = tokenClient(http.url, token);
  expect(await status(client)).toBe(200);
  const forged = `rafiki_${'1'.repeat(64)}`;
  expect(await status(tokenClient(http.url, forged))).toBe(401);
  const { body } = await client('GET', '/v1/tokens');
  expect(body).toMatchObject({ tokens: [{ name: 'app' }, { name: 'logged' }] });
  const statements = readFileSync(path.join(path.dirname(row?.dir ?? ''), 'postgres.log'), 'utf8');
  expect(statements).toContain(`$1 = '${sha256(token)}', $2 = 'tokens'`); // the call, with what the function checks
  expect(stage.log()).not.toBe('');
  for (const secret of [token, victimToken, forged])
    expect(statements + stage.log() + JSON.stringify(body)).not.toContain(secret);
  expect(stage.log() + JSON.stringify(body)).not.toContain(sha256(token));
});
