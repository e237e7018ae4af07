import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createBridge } from '../../src/bridge/create-bridge.ts';
import type { TrainedModel } from '../../src/domain/training.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import type { Service } from '../../src/runtime/service.ts';
import { basic, type HttpClient, httpClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { deployTinyModel, trainTinyModel } from '../support/tiny-model.ts';

let trained: TrainedModel;
let database: TestDatabase;
let bridge: Service;
let http: TestHttp;
let mallory: HttpClient;
let malloryRole: string;
let victim: HttpClient;
let victimRole: string;
let cacheDir: string;
let log: string;

beforeAll(async () => {
  trained = await trainTinyModel();
});

const small = {
  streams: 3,
  streamsOfRole: 2,
  failuresOfRole: 5,
  failuresOfAddress: 40,
  bodyBytes: 8_000_000,
};

beforeEach(async () => {
  database = await createTestDatabase();
  const { db } = database;
  log = '';
  const logger = pino(
    { level: 'debug' },
    new Writable({
      write(chunk, _, done) {
        log += String(chunk);
        done();
      },
    }),
  );
  const store = new PostgresParamStore({ database: db, cacheBytes: 1 });
  cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-models-'));
  for (const model of ['secret', 'open']) await deployTinyModel({ db, store }, { model, version: 1, trained });
  bridge = createBridge({ database: database.service, port: 0, cacheDir, logger });
  await bridge.start();
  http = await startHttp(database, { limits: small, logger });
  ({ client: mallory, role: malloryRole } = await http.as('mallory'));
  ({ client: victim, role: victimRole } = await http.as('victim'));
  await db.query('select rafiki_grant($1, $2)', ['secret', victimRole]);
  for (const role of [victimRole, malloryRole]) await db.query('select rafiki_grant($1, $2)', ['open', role]);
});
afterEach(async () => {
  await http.server.stop();
  await bridge.stop();
  await database.drop();
  rmSync(cacheDir, { recursive: true });
});

const predict = (client: HttpClient, model: string, query = 'good film') =>
  client<{ prediction?: string; error?: { code: string } }>('POST', `/v1/models/${encodeURIComponent(model)}/predict`, {
    query,
  });

test("one role's key never serves another, also when both ask at once", async () => {
  const asked = Array.from({ length: 100 }, (_, i) =>
    i % 2 === 0 ? predict(victim, 'secret') : predict(mallory, 'secret'),
  );
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(statuses).toEqual(statuses.map((_, i) => (i % 2 === 0 ? 200 : 404)));
});

test('names of models with separators, quotes and patterns are names', async () => {
  for (const name of [
    'open\x1fsecret',
    'secret\x1f',
    "open' or true --",
    'open%',
    '../secret',
    'open\n',
    '%00',
    'ö\u202e',
    'a'.repeat(500),
  ]) {
    const { status, body } = await predict(mallory, name);
    expect([name, [400, 404].includes(status), body.prediction]).toEqual([name, true, undefined]);
  }
});

test('inputs with separators are inputs, and headers carry no fields', async () => {
  expect((await predict(mallory, 'open', 'x\x1fA\x1fkey')).status).toBe(200);
  const odd = { 'rafiki-latency-budget': '50ms\tanswer' };
  expect((await mallory('POST', '/v1/models/open/predict', { query: 'x' }, odd)).status).toBe(400);
});

test('a role whose name has the separator of the protocol is no other role', async () => {
  const { db } = database;
  const odd = `${malloryRole}\x1fx`;
  await db.query(`create role "${odd}" login password 'secret'`);
  expect((await predict(httpClient(http.url, odd), 'open')).status).toBe(401);
  await db.query(`drop role "${odd}"`);
});

test('a percent sign in a name is not decoded to another role', async () => {
  const encoded = `%${malloryRole.charCodeAt(0).toString(16)}${malloryRole.slice(1)}`;
  expect((await httpClient(http.url, encoded)('GET', '/v1/me')).status).toBe(401);
});

test('code that other roles left in "public" does not run', async () => {
  const { db } = database;
  await db.query('grant create on schema public to public');
  const session = await database.as('mallory');
  await session.query(`create table public.stolen (by text)`);
  await session.query(`grant insert, select on public.stolen to public`);
  for (const name of ['row_to_json(record)', 'to_regclass(text)', 'format(text, text)', 'current_user_name()']) {
    await session.query(
      `create function public.${name} returns text language plpgsql as $$ begin insert into public.stolen values (current_user); return null; end $$`,
    );
  }
  await session.query(
    `create function public.steal(text, text) returns boolean language plpgsql as $$ begin insert into public.stolen values (current_user); return true; end $$`,
  );
  await session.query('create operator public.= (leftarg = text, rightarg = text, function = public.steal)');
  for (const where of [
    '/v1/studies',
    '/v1/models',
    '/v1/datasets',
    '/v1/datasets/stolen',
    '/v1/workers',
    '/v1/me',
    '/v1/models/open',
  ])
    expect((await victim('GET', where)).status).toBe(200);
  expect(await db.query('select * from public.stolen')).toEqual([]);
});

test('a schema of the role’s name that another role made is not the role’s', async () => {
  const { db } = database;
  const session = await database.as('mallory');
  const [here] = await db.query<{ name: string }>('select current_database() as name');
  await db.query(`grant create on database ${here!.name} to ${malloryRole}`);
  await db.query('create table public.news (body text); grant select on public.news to public');
  await session.query(`create schema ${victimRole}; create table ${victimRole}.news (trap text)`);
  await session.query(
    `grant usage, create on schema ${victimRole} to public; grant select on ${victimRole}.news to public`,
  );
  const schemaOfNews = async () => (await victim<{ schema: string }>('GET', '/v1/datasets/news')).body.schema;
  const upload = () => victim('POST', '/v1/datasets/sent', 'a\n1\n', { 'content-type': 'text/csv' });
  const append = () => victim('POST', '/v1/datasets/news/rows', 'trap\n1\n', { 'content-type': 'text/csv' });
  await session.query(`grant insert on ${victimRole}.news to public`);
  expect(await schemaOfNews()).toBe('public');
  expect((await upload()).status).toBe(403); // to "public", where it may not
  expect((await append()).status).toBe(403);
  await db.query(`alter schema ${victimRole} owner to ${victimRole}`);
  expect(await schemaOfNews()).toBe(victimRole);
  expect((await upload()).status).toBe(201);
  expect((await append()).status).toBe(201);
  await db.query(`drop schema ${victimRole} cascade; drop table public.news`);
  await db.query(`revoke create on database ${here!.name} from ${malloryRole}`);
});

test('a revoked grant, a changed password and a dropped role end', async () => {
  const { db } = database;
  expect((await predict(mallory, 'open')).status).toBe(200);
  await db.query('select rafiki_revoke($1, $2)', ['open', malloryRole]);
  await expect.poll(async () => (await predict(mallory, 'open')).status).toBe(404);
  expect((await predict(victim, 'open')).status).toBe(200);

  const hasty = await startHttp(database, { limits: { signInRefreshMs: 300, signInExpireMs: 1_000 } });
  const before = httpClient(hasty.url, malloryRole);
  const after = httpClient(hasty.url, malloryRole, 'another');
  expect((await before('GET', '/v1/me')).status).toBe(200);
  await db.query(`alter role ${malloryRole} password 'another'`);
  await expect.poll(async () => (await before('GET', '/v1/me')).status).toBe(401);
  expect((await after('GET', '/v1/me')).status).toBe(200);
  await db.query(`alter role ${malloryRole} nologin`);
  await expect.poll(async () => (await after('GET', '/v1/me')).status).toBe(401);
  await hasty.server.stop();
});

test('a database that takes any password for a role signs nobody in as it', async () => {
  const { db } = database;
  const [file] = await db.query<{ hba_file: string }>('show hba_file');
  const hba = file?.hba_file ?? '';
  const before = readFileSync(hba, 'utf8');
  try {
    writeFileSync(hba, `host all ${malloryRole} all trust\n${before}`);
    await db.query('select pg_reload_conf()');
    const answers = async () => (await httpClient(http.url, malloryRole, 'any')('GET', '/v1/me')).body;
    await expect
      .poll(answers)
      .toMatchObject({ error: { code: '28P01', message: 'the database does not ask for a password' } });
  } finally {
    writeFileSync(hba, before);
    await db.query('select pg_reload_conf()');
  }
});

test('guessing passwords is slowed, and does not lock others out', async () => {
  const guess = (i: number) => httpClient(http.url, victimRole, `guess ${i}`)('GET', '/v1/me');
  expect((await victim('GET', '/v1/me')).status).toBe(200); // signed in before
  const statuses = await Promise.all(Array.from({ length: 30 }, async (_, i) => (await guess(i)).status));
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(8);
  expect((await guess(99)).headers.get('retry-after')).not.toBeNull();
  expect((await victim('GET', '/v1/me')).status).toBe(200);
  expect((await mallory('GET', '/v1/me')).status).toBe(200);
});

test('no password is in a log or an answer', async () => {
  const password = 'Tr0ub4dor&3';
  const answers = [
    await httpClient(http.url, malloryRole, password)('GET', '/v1/me'),
    await httpClient(http.url, malloryRole, password)('POST', '/v1/studies', { task: password }),
    await httpClient(http.url, 'nobody', password)('GET', '/v1/nowhere'),
  ];
  const said = log + JSON.stringify(answers);
  for (const secret of [password, Buffer.from(password).toString('base64').slice(0, 10), basic(malloryRole, password)])
    expect(said).not.toContain(secret);
});

test('pages of other origins change nothing, unless their origin is allowed', async () => {
  const from = (client: HttpClient, origin: string) =>
    client('POST', '/v1/models/open/predict', { query: 'x' }, { origin });
  expect((await from(mallory, 'https://evil.example')).status).toBe(403);
  expect((await from(mallory, 'null')).status).toBe(403);
  expect((await from(mallory, http.url)).status).toBe(200);
  const other = await startHttp(database, { cors: ['https://app.example'] });
  const client = httpClient(other.url, malloryRole);
  const allowed = await from(client, 'https://app.example');
  expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([200, 'https://app.example']);
  const refused = await from(client, 'https://app.example.evil.example');
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, null]);
  expect(
    (await httpClient(other.url)('OPTIONS', '/v1/models/open/predict', undefined, { origin: 'https://app.example' }))
      .status,
  ).toBe(204);
  await other.server.stop();
});

test('streams of events are bounded by role, and their places come back', async () => {
  const { db } = database;
  const studies = await db.query<{ id: number }>(
    `insert into rafiki.study (owner, task, source, model, target, features, families, knobs, max_trials, max_time, validation, seed, deploy, metric)
     select r::regrole, 'sentiment', 'pg_class'::regclass, 'm' || r, 'relname', '{relname}', null, '{}', 1, '1 min', 0.2, 1, true, 'accuracy'
     from unnest($1::text[]) r returning id`,
    [[malloryRole, victimRole]],
  );
  const open = async (role: string, id: number | undefined) => {
    const controller = new AbortController();
    const response = await fetch(`${http.url}/v1/studies/${id}/events`, {
      headers: { authorization: basic(role) },
      signal: controller.signal,
    });
    return { status: response.status, close: () => controller.abort() };
  };
  const mine = [
    await open(malloryRole, studies[0]?.id),
    await open(malloryRole, studies[0]?.id),
    await open(malloryRole, studies[0]?.id),
  ];
  expect(mine.map(({ status }) => status)).toEqual([200, 200, 429]);
  const other = await open(victimRole, studies[1]?.id);
  expect(other.status).toBe(200);
  for (const each of [...mine, other]) each.close();
  await expect
    .poll(async () => {
      const again = await open(malloryRole, studies[0]?.id);
      again.close();
      return again.status;
    })
    .toBe(200);
});

/** What the server says to raw bytes before it closes, or in `ms`. */
function raw(bytes: string, ms = 4_000, url = http.url): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let said = '';
    const timer = setTimeout(() => socket.destroy(), ms);
    socket.on('data', (chunk) => {
      said += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(said);
    });
    socket.write(bytes);
  });
}

test('requests that two readers could read differently are refused', async () => {
  const head = `POST /v1/models/open/predict HTTP/1.1\r\nHost: x\r\nAuthorization: ${basic(malloryRole)}\r\nContent-Type: application/json\r\n`;
  const both = await raw(
    `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/me HTTP/1.1\r\nHost: x\r\n\r\n`,
    1_500,
  );
  expect(both).toMatch(/^HTTP\/1.1 400/);
  expect(both.match(/HTTP\/1.1/g)).toHaveLength(1);
  expect(await raw(`${head}Content-Length: 4\r\nContent-Length: 5\r\n\r\n{}{}`, 1_500)).toMatch(/^HTTP\/1.1 400/);
  expect(await raw(`GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: ${'x'.repeat(40_000)}\r\n\r\n`, 1_500)).toMatch(
    /^HTTP\/1.1 431/,
  );
});

test('slow headers and slow bodies end, and do not stop others', async () => {
  const hasty = await startHttp(database, { limits: { headersMs: 1_000, requestMs: 2_000 } });
  const slow = [
    raw('GET /v1/me HTTP/1.1\r\nHost: x\r\nX-Slow: ', 40_000, hasty.url),
    raw(
      `POST /v1/studies HTTP/1.1\r\nHost: x\r\nAuthorization: ${basic(malloryRole)}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{`,
      40_000,
      hasty.url,
    ),
  ];
  expect((await predict(httpClient(hasty.url, victimRole), 'open')).status).toBe(200);
  for (const said of await Promise.all(slow)) expect(said).toMatch(/^(HTTP\/1.1 (408|400|413|429)|$)/);
  await hasty.server.stop();
}, 60_000);

test('bodies of a client without a role are not read, and long ones are bounded', async () => {
  const said = await raw(
    `POST /v1/studies HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 30000000\r\n\r\n`,
    1_500,
  );
  expect(said).toMatch(/^HTTP\/1.1 401/);
  for (const [start, status] of [
    ['POST /v1/nowhere', 404],
    ['POST /health/live', 405],
    ['GET /health/live', 413],
  ] as const) {
    const refused = await raw(
      `${start} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 30000000\r\n\r\n{no json`,
      1_500,
    );
    expect(refused).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
  }
  const huge = await raw(
    `POST /v1/studies HTTP/1.1\r\nHost: x\r\nAuthorization: ${basic(malloryRole)}\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n`,
    1_500,
  );
  expect(huge).toMatch(/^HTTP\/1.1 413/);
});

test('a flood of predictions of one role leaves room for another', async () => {
  const flood = Promise.all(Array.from({ length: 600 }, (_, i) => predict(mallory, 'open', `good film ${i}`)));
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => predict(victim, 'open', `bad film ${i}`)));
  expect(answers.map(({ body }) => body.prediction)).toEqual(answers.map(() => 'neg'));
  for (const { status } of await flood) expect([200, 429]).toContain(status);
});
