import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { type HttpClient, tokenClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';

/** What a token may do over HTTP, in the order of its life. */
let database: TestDatabase;
let processes: RunningProcesses;
let http: TestHttp;
let ann: Database;
let byPassword: HttpClient;
let bobRole: string;
let client: HttpClient;
let study: number;

const csv = [
  'label,body',
  ...Array.from({ length: 100 }, (_, i) => `${i % 2 ? 'pos' : 'neg'},film ${i} was ${i % 2 ? 'great' : 'awful'}`),
];

beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.query('grant create on schema public to public');
  processes = await startProcesses(database.service);
  http = await startHttp(database);
  ({ client: byPassword } = await http.as('ann'));
  ann = await database.as('ann');
  ({ role: bobRole } = await http.as('bob'));
  const upload = await byPassword('POST', '/v1/datasets/reviews', csv.join('\n'), { 'content-type': 'text/csv' });
  expect(upload.status).toBe(201);
});
afterAll(async () => {
  await http.server.stop();
  await processes.stop();
  await database.drop();
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
  for (const path of ['/v1/me', '/v1/models', '/v1/models/films/inputs', '/v2/models/films', '/v2/models/films/stats'])
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
