import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { asReader } from '../../src/db/reader-login.ts';
import { FairGate } from '../../src/http/fair-gate.ts';
import { defaultHttpLimits } from '../../src/http/limits.ts';
import { TokenSignIns } from '../../src/http/sign-in/token-sign-ins.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type HttpClient, tokenClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { failureOf } from '../support/sql-failure.ts';
import { sha256 } from '../support/token-stage.ts';

let database: TestDatabase;
let processes: RunningProcesses;
let http: TestHttp;
let ann: Database;
let annRole: string;
let byPassword: HttpClient;
let bobRole: string;

const create = async (session: Database, name: string, validFor = '1 day'): Promise<string> => {
  const [row] = await session.query<{ token: string }>('select rafiki_create_token($1, $2::interval) as token', [
    name,
    validFor,
  ]);
  return row?.token ?? '';
};

beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.query('grant create on schema public to public');
  processes = await startProcesses(database.service);
  http = await startHttp(database);
  ({ client: byPassword, role: annRole } = await http.as('ann'));
  ann = await database.as('ann');
  ({ role: bobRole } = await http.as('bob'));
});
afterAll(async () => {
  await http.server.stop();
  await processes.stop();
  await database.drop();
});

describe('in SQL', () => {
  test('a token is shown once, listed and revoked', async () => {
    const token = await create(ann, 'first');
    expect(token).toMatch(/^rafiki_[0-9a-f]{64}$/);
    expect(await ann.query('select name, role::text, used_at from rafiki.tokens')).toEqual([
      { name: 'first', role: annRole, used_at: null },
    ]);
    const [stored] = await database.db.query<{ row: string }>('select t::text as row from rafiki.token t');
    expect(stored?.row).not.toContain(token.slice(7));
    const functions = await database.db.query<{ prosrc: string }>(
      `select prosrc from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`,
    );
    expect(functions).toHaveLength(1);
    await ann.query(`select rafiki_revoke_token('first')`);
    expect(await ann.query('select from rafiki.tokens')).toEqual([]);
    expect(await database.db.query(`select from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`)).toEqual(
      [],
    );
  });

  test.each([
    [`select rafiki_create_token(null)`, '22004'],
    [`select rafiki_create_token('')`, '42602'],
    [`select rafiki_create_token(e'a\\nb')`, '42602'],
    [`select rafiki_create_token(repeat('a', 101))`, '42602'],
    [`select rafiki_create_token('a', '0')`, '22023'],
    [`select rafiki_create_token('a', '-1 day')`, '22023'],
    [`select rafiki_create_token('a', '367 days')`, '22023'],
    [`select rafiki_create_token('a', '100000 years')`, '22023'],
    [`select rafiki_create_token('a', null)`, '22004'],
    [`select rafiki_create_token('a', only_predicts => null)`, '22004'],
    [`select rafiki_revoke_token('none')`, '42704'],
    [`select rafiki_revoke_token(null)`, '22004'],
  ])('%s raises %s', async (sql, code) => {
    expect(await failureOf(ann, sql)).toMatchObject({ code, hint: expect.any(String) });
  });

  test('names are unique for a role, and their number is bounded', async () => {
    await database.db.query(`update rafiki.quota set value = 2 where name = 'tokens'`);
    await create(ann, 'one');
    expect(await failureOf(ann, `select rafiki_create_token('one')`)).toMatchObject({ code: '42710' });
    await create(ann, 'two');
    expect(await failureOf(ann, `select rafiki_create_token('three')`)).toMatchObject({ code: '53400' });
    await create(await database.as('bob'), 'one');
    await database.db.query(`update rafiki.quota set value = 50 where name = 'tokens'`);
    await ann.query(`select rafiki_revoke_token('one'), rafiki_revoke_token('two')`);
    await database.db.query('select rafiki_revoke_token($1, $2)', ['one', bobRole]);
  });

  test('expired ones are deleted, with their functions', async () => {
    await create(ann, 'short', '1 ms');
    expect(await ann.query('select from rafiki.tokens')).toEqual([]);
    await database.service.query('select rafiki._drop_readers()');
    expect(await database.db.query('select from rafiki.token')).toEqual([]);
    expect(await database.db.query(`select from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`)).toEqual(
      [],
    );
  });

  test('a function that makes other calls than its token may is worth nothing', async () => {
    const [row] = await ann.query<{ token: string }>(
      `select rafiki_create_token('narrow', only_predicts => true) as token`,
    );
    const client = tokenClient(http.url, row?.token ?? '');
    expect((await client('GET', '/v1/me')).status).toBe(200);
    expect((await client('GET', '/v1/studies')).status).toBe(403);
    const isLive = async (): Promise<boolean> =>
      (await database.service.query('select from rafiki._live_token($1)', [sha256(sha256(row?.token ?? ''))]))
        .length === 1;
    const [made] = await ann.query<{ sql: string }>(
      `select pg_get_functiondef(p.oid) as sql from pg_proc p
       where p.pronamespace = 'rafiki_reader'::regnamespace and p.prosrc like '%rafiki.\\_predicting(%'`,
    );
    await ann.query(made?.sql ?? '');
    expect(await isLive()).toBe(true); // the same text
    await ann.query(made?.sql.replace('rafiki._predicting(', 'rafiki._http(') ?? '');
    expect(await isLive()).toBe(false);
    expect((await client('GET', '/v1/studies')).status).toBe(401);
    await ann.query(`select rafiki_revoke_token('narrow')`);
  });

  test('functions of valid tokens stay', async () => {
    const client = tokenClient(http.url, await create(ann, 'stays'));
    await database.service.query('select rafiki._drop_readers()');
    expect((await client('GET', '/v1/me')).body).toEqual({ role: annRole, roles: [] });
    await ann.query(`select rafiki_revoke_token('stays')`);
  });
});

test('a use is noted once a minute, not whenever a token is looked up', async () => {
  const token = await create(ann, 'noted');
  const clock = new ManualClock();
  const { service } = database;
  const statements = new FairGate({ what: 'requests', places: 4, placesOfRole: 4, waitingOfRole: 4 });
  const signIns = new TokenSignIns({
    ...{ database: service, readerUrl: asReader(service.url), api: 'public', limits: defaultHttpLimits },
    ...{ statements, clock, logger: silentLogger },
  });
  const asked = vi.spyOn(service, 'query');
  const updates = (): number => asked.mock.calls.filter(([sql]) => sql.includes('update rafiki.token')).length;
  const usedAt = async () => (await ann.query(`select used_at from rafiki.tokens where name = 'noted'`))[0];
  try {
    await signIns.enter(token);
    await expect.poll(usedAt).not.toEqual({ used_at: null });
    for (let i = 0; i < 3; i++) {
      clock.advance(10_000); // looked up before the request
      await signIns.kept(token);
    }
    expect(updates()).toBe(1);
    await database.db.query(`update rafiki.token set used_at = now() - interval '61 s' where name = 'noted'`);
    clock.advance(10_000);
    await signIns.kept(token);
    expect(updates()).toBe(2);
  } finally {
    asked.mockRestore();
    await signIns.stop();
    await ann.query(`select rafiki_revoke_token('noted')`);
  }
});

test('tokens of one role together keep few sessions', async () => {
  const names = Array.from({ length: 12 }, (_, i) => `many ${i}`);
  let most = 0;
  for (const name of names) {
    const client = tokenClient(http.url, await create(ann, name));
    const answers = await Promise.all([1, 2, 3].map(() => client('GET', '/v1/models')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const [row] = await database.db.query<{ open: number }>(
      `select count(*)::int as open from pg_stat_activity where usename = 'rafiki_reader' and application_name = 'rafiki http'
         and datname = current_database()`,
    );
    most = Math.max(most, row?.open ?? 0);
  }
  expect(most).toBeLessThan(2 * names.length); // of 36 that would be idle; those of a call that has ended may still be closing
  for (const name of names) await ann.query('select rafiki_revoke_token($1)', [name]);
});

describe('over HTTP', () => {
  let client: HttpClient;
  let study: number;
  const csv = [
    'label,body',
    ...Array.from({ length: 100 }, (_, i) => `${i % 2 ? 'pos' : 'neg'},film ${i} was ${i % 2 ? 'great' : 'awful'}`),
  ];

  beforeAll(async () => {
    const upload = await byPassword('POST', '/v1/datasets/reviews', csv.join('\n'), { 'content-type': 'text/csv' });
    expect(upload.status).toBe(201);
  });

  test('it is created with the password only', async () => {
    const made = await byPassword<{ name: string; token: string }>('POST', '/v1/tokens', {
      name: 'ci',
      valid_for: '30 days',
    });
    expect(made).toMatchObject({ status: 201, body: { name: 'ci', token: expect.stringMatching(/^rafiki_/) } });
    client = tokenClient(http.url, made.body.token);
    expect((await client('GET', '/v1/tokens')).body).toMatchObject({ tokens: [{ name: 'ci' }] });
    expect(await client('POST', '/v1/tokens', { name: 'another' })).toMatchObject({
      status: 403,
      body: { error: { code: '42501', hint: expect.stringContaining('password') } },
    });
    expect((await byPassword('POST', '/v1/tokens', { name: 'ci' })).status).toBe(409);
  });

  test('the document says which paths need the password: a token is refused there, and nowhere else', async () => {
    interface Operation {
      security?: unknown;
      requestBody?: { content: Record<string, unknown> };
    }
    const { body } = await client<{ paths: Record<string, Record<string, Operation>> }>('GET', '/openapi.json');
    const refused: string[] = [];
    const said: string[] = [];
    for (const [path, methods] of Object.entries(body.paths).filter(([path]) => path !== '/v1/studies/events')) {
      for (const [method, { security, requestBody }] of Object.entries(methods)) {
        const [type = 'application/json'] = Object.keys(requestBody?.content ?? {});
        const sent = requestBody === undefined ? undefined : type === 'application/json' ? {} : 'x';
        const answer = await client(
          method.toUpperCase(),
          path.replaceAll(/\{\w+\}/g, '999'),
          sent,
          sent === undefined ? {} : { 'content-type': type },
        );
        if (JSON.stringify(answer.body).includes('needs the password of the role')) refused.push(`${method} ${path}`);
        if (security !== undefined) said.push(`${method} ${path}`);
      }
    }
    expect(refused).toEqual(said);
    expect(said.sort()).toEqual([
      'delete /v1/datasets/{dataset}',
      'post /v1/datasets/{dataset}',
      'post /v1/datasets/{dataset}/rows',
      'post /v1/session',
      'post /v1/tokens',
    ]);
  });

  test('it reads data sets, but makes, fills and drops none', async () => {
    expect((await client('GET', '/v1/datasets')).body).toMatchObject({ datasets: [{ name: 'public.reviews' }] });
    expect((await client('GET', '/v1/datasets/reviews')).body).toMatchObject({ owned: true });
    expect((await client('GET', '/v1/datasets/none')).status).toBe(404);
    expect((await client('POST', '/v1/datasets/more', 'a\n1', { 'content-type': 'text/csv' })).status).toBe(403);
    expect((await client('DELETE', '/v1/datasets/reviews')).status).toBe(403);
  });

  test('it trains, watches and lists', async () => {
    const started = await client<{ study: number }>('POST', '/v1/studies', {
      ...{
        task: 'text_classification',
        source: 'reviews',
        target: 'label',
        features: ['body'],
        families: ['fasttext'],
      },
      ...{ max_trials: 2, max_time: '2 min', seed: 1, model: 'films', knobs: { dim: 16 } },
    });
    expect([started.body]).toMatchObject([{ study: expect.any(Number) }]);
    expect(started).toMatchObject({ status: 201, body: { model: 'films', source: 'public.reviews', state: 'queued' } });
    study = started.body.study;
    const watched = await client<string>('GET', `/v1/studies/${study}/events`);
    expect(watched.body).toContain('"state":"completed"');
    expect((await client('GET', '/v1/studies?model=films')).body).toMatchObject({ studies: [{ study }] });
    expect((await client('GET', `/v1/studies/${study}/trials?order=best`)).body).toMatchObject({
      trials: expect.arrayContaining([expect.objectContaining({ knobs: expect.objectContaining({ dim: 16 }) })]),
    });
    expect((await client('GET', `/v1/studies/${study}/trials/1`)).body).toMatchObject({ trial: 1 });
    expect((await client('GET', `/v1/studies/${study}/reports`)).status).toBe(200);
    expect((await client('GET', `/v1/studies/${study}/trials/1/reports`)).status).toBe(200);
    for (const step of ['pause', 'resume', 'finish', 'cancel'])
      expect(await client('POST', `/v1/studies/${study}/${step}`)).toMatchObject({
        status: 200,
        body: { done: false },
      });
    expect((await client('POST', `/v1/studies/${study}/extend`, { more: '1 min' })).body).toEqual({ done: false });
    expect((await client('POST', '/v1/studies/check', { task: 'sentiment', source: 'reviews' })).status).toBe(200);
  });

  test('it predicts, one, many and in detail, and by the inference protocol', async () => {
    const one = () => client('POST', '/v1/models/films/predict', { query: 'it was great' });
    await expect.poll(one, { timeout: 20_000 }).toMatchObject({ status: 200, body: { prediction: 'pos' } });
    expect(
      (await client('POST', '/v1/models/films/predict', { queries: ['awful', 'great'], detail: true })).body,
    ).toMatchObject({
      predictions: ['neg', 'pos'],
      details: [{ label: 'neg' }, {}],
    });
    const infer = { inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: ['great'] }] };
    expect((await client('POST', '/v2/models/films/infer', infer)).body).toMatchObject({ model_name: 'films' });
    expect((await client('GET', '/v2/models/films')).body).toMatchObject({ name: 'films', versions: ['1'] });
    expect((await client('GET', '/v2/models/films/stats')).status).toBe(200);
    expect((await client('POST', '/v2/repository/index', {})).body).toMatchObject([{ name: 'films', state: 'READY' }]);
    expect((await client('POST', '/v1/models/none/predict', { query: 'x' })).status).toBe(404);
  });

  test('one that only predicts does nothing else', async () => {
    const made = await byPassword<{ token: string }>('POST', '/v1/tokens', { name: 'shop', only_predicts: true });
    expect((await client('GET', '/v1/tokens')).body).toMatchObject({
      tokens: [
        { name: 'ci', only_predicts: false },
        { name: 'shop', only_predicts: true },
      ],
    });
    const shop = tokenClient(http.url, made.body.token);
    const queries = { queries: ['awful', 'great'], detail: true };
    expect((await shop('POST', '/v1/models/films/predict', queries)).body).toMatchObject({
      predictions: ['neg', 'pos'],
    });
    expect((await shop('POST', '/v1/models/films/explain', { query: 'great' })).status).toBe(200);
    const infer = { inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: ['great'] }] };
    expect((await shop('POST', '/v2/models/films/infer', infer)).body).toMatchObject({ model_name: 'films' });
    for (const path of [
      '/v1/me',
      '/v1/models',
      '/v1/models/films/inputs',
      '/v2/models/films',
      '/v2/models/films/stats',
    ])
      expect({ path, ...(await shop('GET', path)) }).toMatchObject({ status: 200 });
    expect((await shop('POST', '/v1/models/none/predict', { query: 'x' })).status).toBe(404);
    expect((await shop('GET', '/v1/models/films/inputs')).body).toMatchObject({
      source: null,
      target: null,
      members: [],
    });

    const source = { source: 'reviews', target: 'label' };
    const refused: [string, string, object?][] = [
      ['GET', '/v1/datasets'],
      ['GET', '/v1/datasets/reviews'],
      ['POST', '/v1/studies', { task: 'text_classification', ...source, model: 'more' }],
      ['GET', '/v1/studies'],
      ['POST', `/v1/studies/${study}/cancel`],
      ['GET', `/v1/studies/${study}/trials`],
      ['GET', '/v1/workers'],
      ['POST', '/v1/models/films/evaluate', source],
      ['POST', '/v1/models/films/mistakes', source],
      ['GET', '/v1/models/films/file'],
      ['POST', '/v1/models/films/grants', { role: bobRole }],
      ['POST', '/v1/models/films/undeploy'],
      ['POST', '/v2/repository/models/films/unload'],
      ['DELETE', '/v1/models/films'],
      ['GET', '/v1/tokens'],
    ];
    for (const [method, path, body] of refused) {
      const answer = await shop(method, path, body);
      expect({ path, status: answer.status }).toEqual({ path, status: 403 });
      expect(JSON.stringify(answer.body)).toMatch(/the token only predicts.*Use another token/);
    }
    expect((await shop('DELETE', '/v1/tokens/shop')).body).toEqual({ done: true });
    expect((await shop('GET', '/v1/me')).status).toBe(401);
  });

  test('it evaluates', async () => {
    const rows = { source: 'reviews', target: 'label' };
    expect((await client('POST', '/v1/models/films/evaluate', rows)).body).toMatchObject({
      metrics: expect.arrayContaining([expect.objectContaining({ metric: 'accuracy' })]),
    });
    expect((await client('POST', '/v1/models/films/confusion', rows)).status).toBe(200);
    expect((await client('POST', '/v1/models/films/class_report', rows)).status).toBe(200);
    expect((await client('POST', '/v1/models/films/mistakes', rows)).body).toMatchObject({ rows: 100 });
    expect((await client('GET', '/v1/models/films/inputs')).body).toMatchObject({
      input: 'text',
      members: [{}],
      version: 1,
    });
    // servers write their statistics every few seconds
    const serving = async (): Promise<unknown> => (await client('GET', '/v1/serving')).body;
    await expect.poll(serving).toMatchObject({ models: [{ model: 'films' }] });
  });

  test('it manages models', async () => {
    expect((await client('GET', '/v1/models')).body).toMatchObject({ models: [{ model: 'films', version: 1 }] });
    expect((await client('GET', '/v1/models/films')).body).toMatchObject({ versions: [{ deployment: 'ready' }] });
    expect((await client('GET', '/v1/models/films/file')).body).toContain('onnx');
    expect((await client('GET', '/v1/models/films/stats')).status).toBe(200);
    expect((await client('GET', '/v1/deployments')).body).toMatchObject({ deployments: [{ model: 'films' }] });
    expect((await client('POST', '/v1/models/films/grants', { role: bobRole })).status).toBe(201);
    expect((await client('GET', '/v1/models/films/grants')).body).toMatchObject({ grants: [{ role: bobRole }] });
    expect((await client('DELETE', `/v1/models/films/grants/${bobRole}`)).body).toEqual({ done: true });
    expect((await client('POST', '/v1/models/films/undeploy')).body).toEqual({ done: true });
    expect((await client('POST', '/v2/repository/models/films/load')).status).toBe(200);
    expect((await client('POST', '/v1/models/films/deploy', { version: 1 })).body).toEqual({ version: 1 });
    expect((await client('GET', '/v1/workers')).status).toBe(200);
    expect((await client('GET', '/v1/tasks')).body).toMatchObject({ tasks: expect.any(Array) });
    expect((await client('GET', '/v1/tasks/sentiment/knobs')).body).toMatchObject({ knobs: expect.any(Array) });
    await client('POST', '/v1/models/films/undeploy');
    expect((await client('DELETE', '/v1/models/films')).body).toEqual({ done: true });
  });

  test('its use is noted, and it ends itself', async () => {
    const [used] = await ann.query<{ used_at: string | null }>(`select used_at from rafiki.tokens where name = 'ci'`);
    expect(used?.used_at).not.toBeNull();
    expect((await client('DELETE', '/v1/tokens/none')).status).toBe(404);
    expect((await client('DELETE', '/v1/tokens/ci')).body).toEqual({ done: true });
    expect((await client('GET', '/v1/models')).status).toBe(401);
  });
});
