import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basic, type HttpClient, httpClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';

let database: TestDatabase;
let processes: RunningProcesses;
let http: TestHttp;
let ann: HttpClient;
let annRole: string;
let bob: HttpClient;
let bobRole: string;
let study: number;

const csv = (rows: number): string =>
  [
    'id,label,body,stars',
    ...Array.from(
      { length: rows },
      (_, i) => `${i},${i % 2 ? 'pos' : 'neg'},"film ${i}, which was ${i % 2 ? 'great' : 'awful'}",${i % 5}.5`,
    ),
  ].join('\n');

/** The events of a stream until it ends. */
async function events(client: { url: string; role: string }, path: string): Promise<{ state: string; done: number }[]> {
  const response = await fetch(`${client.url}${path}`, { headers: { authorization: basic(client.role) } });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const text = await response.text();
  return text
    .split('\n\n')
    .filter((event) => event.startsWith('event: study'))
    .map((event) => JSON.parse(event.slice(event.indexOf('{'))));
}

beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.query('grant create on schema public to public');
  processes = await startProcesses(database.service);
  http = await startHttp(database);
  ({ client: ann, role: annRole } = await http.as('ann'));
  ({ client: bob, role: bobRole } = await http.as('bob'));
});
afterAll(async () => {
  await http.server.stop();
  await processes.stop();
  await database.drop();
});

describe('signing in', () => {
  test('needs a role and its password, whatever the path', async () => {
    const nobody = httpClient(http.url);
    for (const client of [nobody, httpClient(http.url, annRole, 'wrong'), httpClient(http.url, 'nobody_at_all')]) {
      const { status, headers, body } = await client('GET', '/v1/studies');
      expect([status, headers.get('www-authenticate')]).toEqual([
        401,
        'Basic realm="rafiki", charset="UTF-8", Bearer realm="rafiki"',
      ]);
      expect(body).toMatchObject({ error: { code: '28P01', hint: expect.any(String) } });
    }
    expect((await nobody('POST', '/v1/models/m/predict', { query: 'x' })).status).toBe(401);
  });

  test('the request acts as that role', async () => {
    expect((await ann('GET', '/v1/me')).body).toEqual({ role: annRole, roles: [] });
  });

  test('health and the description of the paths need none', async () => {
    const nobody = httpClient(http.url);
    expect(await nobody('GET', '/health/live')).toMatchObject({ status: 200, body: { live: true } });
    expect(await nobody('GET', '/health/ready')).toMatchObject({ status: 200, body: { ready: true } });
    const { body } = await nobody<{ openapi: string; paths: object }>('GET', '/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    expect(Object.keys(body.paths)).toContain('/v1/models/{model}/predict');
  });
});

describe('from a file to a model', () => {
  test('CSV becomes a table of the role, with types', async () => {
    const { status, body } = await ann('POST', '/v1/datasets/reviews', csv(120), { 'content-type': 'text/csv' });
    expect({ status, body }).toEqual({
      status: 201,
      body: {
        dataset: 'public.reviews',
        rows: 120,
        columns: [
          { name: 'id', type: 'bigint' },
          { name: 'label', type: 'text' },
          { name: 'body', type: 'text' },
          { name: 'stars', type: 'float8' },
        ],
      },
    });
    const [row] = await database.db.query('select label, body, stars from public.reviews where id = 3');
    expect(row).toEqual({ label: 'pos', body: 'film 3, which was great', stars: 3.5 });
    expect((await ann('POST', '/v1/datasets/reviews', csv(2), { 'content-type': 'text/csv' })).status).toBe(409);
    expect((await ann('GET', '/v1/datasets/reviews')).body).toMatchObject({ name: 'public.reviews', owned: true });
  });

  test('so do JSON lines', async () => {
    const lines = [
      { n: 1, t: 'a\tb\\' },
      { n: null, t: 'ü\n"', more: true },
    ]
      .map((line) => JSON.stringify(line))
      .join('\n');
    const { body } = await ann('POST', '/v1/datasets/lines', lines, { 'content-type': 'application/x-ndjson' });
    expect(body).toMatchObject({
      rows: 2,
      columns: [{ type: 'bigint' }, { type: 'text' }, { name: 'more', type: 'boolean' }],
    });
    expect(await database.db.query('select * from public.lines order by n')).toEqual([
      { n: 1, t: 'a\tb\\', more: null },
      { n: null, t: 'ü\n"', more: true },
    ]);
  });

  test('a study is created, watched and ends', async () => {
    const started = await ann<{ study: number; state: string }>('POST', '/v1/studies', {
      task: 'text_classification',
      source: 'reviews',
      target: 'label',
      features: ['body'],
      families: ['fasttext'],
      max_trials: 2,
      max_time: '2 min',
      seed: 1,
      model: 'films',
    });
    expect(started).toMatchObject({ status: 201, body: { model: 'films', source: 'public.reviews' } });
    study = started.body.study;
    const seen = await events({ url: http.url, role: annRole }, `/v1/studies/${study}/events`);
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toMatchObject({ state: 'completed', done: 2 });
  });

  test('its trials and reports can be read', async () => {
    const { body } = await ann<{ trials: { trial: number }[] }>(
      'GET',
      `/v1/studies/${study}/trials?order=best&limit=1`,
    );
    expect(body.trials).toMatchObject([
      { family: 'fasttext', state: expect.stringMatching(/completed|stopped/), knobs: expect.any(Object) },
    ]);
    const best = `/v1/studies/${study}/trials/${body.trials[0]?.trial}`;
    expect((await ann('GET', best)).body).toMatchObject({ study });
    const reports = await ann<{ reports: object[] }>('GET', `${best}/reports`);
    expect(reports.body.reports[0]).toMatchObject({ epoch: expect.any(Number), score: expect.any(Number) });
    const all = await ann<{ reports: object[] }>('GET', `/v1/studies/${study}/reports?limit=1000`);
    expect(all.body.reports.length).toBeGreaterThanOrEqual(reports.body.reports.length);
    expect((await ann('GET', `/v1/studies?state=completed&model=films`)).body).toMatchObject({ studies: [{ study }] });
  });

  test('the model predicts, one, many and with details', async () => {
    const path = '/v1/models/films/predict';
    const ready = async () => (await ann('POST', path, { query: 'great film' })).status;
    await expect.poll(ready).toBe(200);
    expect((await ann('POST', path, { query: 'a great film' })).body).toEqual({ prediction: 'pos' });
    expect((await ann('POST', path, { queries: ['awful', null, 'great'] })).body).toEqual({
      predictions: ['neg', null, 'pos'],
    });
    const { body } = await ann('POST', path, { query: 'great', detail: true });
    expect(body).toMatchObject({
      prediction: 'pos',
      detail: { versions: [1], probabilities: { pos: expect.any(Number) } },
    });
    expect((await ann('POST', path, { queries: ['great', null], detail: true })).body).toMatchObject({
      predictions: ['pos', null],
      details: [{ label: 'pos' }, null],
    });
  });

  test('it is measured, listed, exported, rolled out and taken back', async () => {
    const labelled = { source: 'reviews', target: 'label' };
    const { body } = await ann<{ metrics: { metric: string; value: number }[] }>(
      'POST',
      '/v1/models/films/evaluate',
      labelled,
    );
    expect(body.metrics).toContainEqual(expect.objectContaining({ metric: 'accuracy', value: 1 }));
    expect((await ann('POST', '/v1/models/films/confusion', labelled)).body).toMatchObject({
      cells: expect.any(Array),
    });
    expect((await ann('POST', '/v1/models/films/class_report', labelled)).body).toMatchObject({
      classes: expect.any(Array),
    });
    expect((await ann('GET', '/v1/models')).body).toMatchObject({
      models: [{ model: 'films', version: 1, owner: annRole }],
    });
    expect((await ann('GET', '/v1/models/films')).body).toMatchObject({
      task: 'text_classification',
      versions: [{ version: 1 }],
    });
    expect((await ann('GET', '/v1/models/films/file')).body['length']).toBeGreaterThan(1000);
    for (const [version, code] of [
      [1, '55006'], // it is deployed
      [7, '42704'],
    ] as const)
      expect((await ann('DELETE', `/v1/models/films/versions/${version}`)).body).toMatchObject({ error: { code } });
    expect((await ann('POST', '/v1/models/films/undeploy')).body).toEqual({ done: true });
    const refused = () => ann('POST', '/v1/models/films/predict', { query: 'x' });
    await expect.poll(refused).toMatchObject({
      status: 409,
      body: { error: { code: '55000', message: 'model "films" is not deployed' } },
    });
    expect((await ann('POST', '/v1/models/films/deploy', { version: 1 })).status).toBe(200);
    await expect.poll(async () => (await ann('POST', '/v1/models/films/predict', { query: 'great' })).status).toBe(200);
    expect((await ann('GET', '/v1/deployments?model=films')).body).toMatchObject({
      deployments: [{ state: 'ready' }, { state: 'retired' }],
    });
    expect((await ann('GET', '/v1/models/films/stats')).status).toBe(200);
  });

  test('what there is to learn, and who works, is told', async () => {
    const { body } = await ann<{ tasks: { task: string; families: string[] }[] }>('GET', '/v1/tasks');
    expect(body.tasks.find(({ task }) => task === 'sentiment')?.families).toContain('fasttext');
    expect((await ann('GET', '/v1/tasks/sentiment/knobs')).body).toMatchObject({ knobs: expect.any(Array) });
    const { body: working } = await ann<{ workers: { kind: string }[] }>('GET', '/v1/workers');
    expect(working.workers.map(({ kind }) => kind).sort()).toEqual(['coordinator', 'http', 'serving', 'worker']);
  });
});

describe('rights', () => {
  test('another role sees nothing of it, and may use the model only while it is granted', async () => {
    for (const path of [
      `/v1/studies/${study}`,
      `/v1/studies/${study}/trials`,
      `/v1/studies/${study}/events`,
      '/v1/models/films',
    ])
      expect([path, (await bob('GET', path)).status]).toEqual([path, 404]);
    expect((await bob('POST', '/v1/models/films/predict', { query: 'great' })).status).toBe(404);
    expect((await bob('POST', `/v1/studies/${study}/cancel`)).status).toBe(404);
    expect((await bob('DELETE', '/v1/models/films')).status).toBe(404);
    expect((await bob('DELETE', '/v1/models/films/versions/1')).status).toBe(404);
    expect((await bob('DELETE', '/v1/datasets/reviews')).status).toBe(403);

    expect((await ann('POST', '/v1/models/films/grants', { role: bobRole })).status).toBe(201);
    expect((await ann('GET', '/v1/models/films/grants')).body).toEqual({ grants: [{ model: 'films', role: bobRole }] });
    expect((await bob('POST', '/v1/models/films/predict', { query: 'great' })).body).toEqual({ prediction: 'pos' });
    expect((await bob('GET', '/v1/models/films/file')).status).toBe(403);
    expect((await ann('DELETE', `/v1/models/films/grants/${bobRole}`)).body).toEqual({ done: true });
    expect((await bob('POST', '/v1/models/films/predict', { query: 'great' })).status).toBe(404);
    expect((await ann('POST', '/v1/models/films/predict', { query: 'great' })).body).toEqual({ prediction: 'pos' });
  });

  test('rows are checked before a study, with its arguments and the rights of the role', async () => {
    const asked = { task: 'sentiment', source: 'reviews', target: 'label', features: ['body'], max_trials: 3 };
    const { status, body } = await ann<{ findings: { finding: string }[] }>('POST', '/v1/studies/check', asked);
    expect([status, body.findings[0]?.finding]).toEqual([200, 'rows']);
    const mistaken = await ann('POST', '/v1/studies/check', { ...asked, target: 'no such column' });
    expect([mistaken.status, mistaken.body]).toMatchObject([400, { error: { code: '42703' } }]);
    expect((await bob('POST', '/v1/studies/check', asked)).status).toBe(403);
  });

  test('a study is extended and cancelled by its owner', async () => {
    const { body } = await ann<{ study: number }>('POST', '/v1/studies', {
      task: 'text_classification',
      source: 'public.reviews',
      target: 'label',
      features: ['body'],
      model: 'other',
      max_trials: 100,
    });
    const extend = `/v1/studies/${body.study}/extend`;
    expect((await bob('POST', extend, { more: '1 min' })).status).toBe(404);
    expect((await ann('POST', extend, { more: '7 min' })).body).toEqual({ done: true });
    const [{ time } = {}] = await database.db.query<{ time: string }>(
      'select max_time::text as time from rafiki.study where id = $1',
      [body.study],
    );
    expect(time).toBe('00:17:00');
    for (const more of ['-1 min', 'soon', '31 days'])
      expect([more, (await ann('POST', extend, { more })).body]).toMatchObject([more, { error: { code: '22023' } }]);
    expect((await ann('POST', `/v1/studies/${body.study}/cancel`)).body).toEqual({ done: true });
    await expect.poll(async () => (await ann('GET', `/v1/studies/${body.study}`)).body['state']).toBe('cancelled');
  });

  test('a data set that a view needs is not dropped, and the view is named', async () => {
    const session = await database.as('ann');
    await session.query('create view of_lines as select * from lines');
    const { status, body } = await ann('DELETE', '/v1/datasets/lines');
    expect([status, body]).toMatchObject([409, { error: { code: '2BP01', detail: /of_lines/ } }]);
    await session.query('drop view of_lines');
  });

  test('a data set is dropped by its owner', async () => {
    expect((await ann('DELETE', '/v1/datasets/lines')).body).toEqual({ done: true });
    expect((await ann('GET', '/v1/datasets/lines')).body).toMatchObject({ error: { code: '42P01' } });
  });
});

describe("nginyc/rafiki's requests", () => {
  const table =
    readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8').split('## From nginyc/rafiki')[1] ?? '';
  const rows = [...table.matchAll(/^\| (`(?:GET|POST|DELETE) .*?) \| (.*) \|$/gm)].map(
    ([, there = '', here = '']) => [there, here] as const,
  );

  test.each(rows)('%s has its place: %s', async (_, here) => {
    const { body } = await httpClient(http.url)<{ paths: Record<string, object> }>('GET', '/openapi.json');
    const ours = [...here.matchAll(/`(GET|POST|DELETE) (\/v1\/[^`]*)`/g)];
    if (ours.length === 0) expect(here).toMatch(/^(none:|SQL:)/);
    for (const [, method = '', path = ''] of ours) {
      expect([path, body.paths[path]]).toEqual([
        path,
        expect.objectContaining({ [method.toLowerCase()]: expect.any(Object) }),
      ]);
      if (method !== 'GET') continue;
      const place = path
        .replace('{study}', String(study))
        .replace('{trial}', '1')
        .replace('{model}', 'films')
        .replace('{task}', 'sentiment');
      expect([place, (await ann('GET', place)).status]).toEqual([place, 200]);
    }
  });
});

describe('errors', () => {
  test.each([
    ['GET', '/v1/nowhere', undefined, 404, '42704'],
    ['DELETE', '/v1/studies', undefined, 405, '0A000'],
    ['PUT', '/v1/models/films/predict', { query: 'a' }, 405, '0A000'],
    ['POST', '/v2/models/films', undefined, 405, '0A000'],
    ['GET', '/v1/studies/x', undefined, 400, '22023'],
    ['GET', '/v1/studies?limit=0', undefined, 400, '22023'],
    ['GET', '/v1/studies?limit=x', undefined, 400, '22023'],
    ['GET', '/v1/studies?unknown=1', undefined, 400, '22023'],
    ['GET', '/v1/studies/999999999', undefined, 404, '42704'],
    ['POST', '/v1/studies', { source: 'reviews' }, 400, '22023'],
    ['POST', '/v1/studies', { task: 'sentiment', source: 'reviews', more: 1 }, 400, '22023'],
    ['POST', '/v1/studies', { task: 'sentiment', source: 'nowhere' }, 404, '42P01'],
    ['POST', '/v1/studies', { task: 'sentiment', source: 'reviews"; drop table reviews; --' }, 400, '42602'],
    ['POST', '/v1/studies', { task: 'magic', source: 'reviews' }, 404, '42704'],
    ['POST', '/v1/studies', { task: 'sentiment', source: 'reviews', max_time: 'soon' }, 400, '22023'],
    ['POST', '/v1/studies', { task: 'sentiment', source: 'reviews', validation_after: 'soon' }, 400, '22023'],
    ['POST', '/v1/studies', { task: 'sentiment', source: 'reviews', max_trials: 1e12 }, 400, '22023'],
    ['POST', '/v1/tokens', { name: 'ci', valid_for: 'long' }, 400, '22023'],
    ['POST', '/v1/models/films/predict', {}, 400, '22023'],
    ['POST', '/v1/models/films/predict', { query: 'a', queries: [] }, 400, '22023'],
    ['POST', '/v1/models/films/predict', { query: { a: 1 } }, 400, '22023'],
    ['POST', '/v1/models/nothing/predict', { query: 'a' }, 404, '42704'],
    ['POST', '/v1/models/films/deploy', { version: 99 }, 404, '42704'],
    ['POST', '/v1/models/films/grants', { role: 'no such role' }, 404, '42704'],
    ['DELETE', '/v1/models/films/grants/nobody', undefined, 404, '42704'],
  ] as const)('%s %s %j: %i', async (method, path, sent, status, code) => {
    const answer = await ann<{ error: { code: string; hint?: string } }>(method, path, sent);
    const { error } = answer.body;
    expect([answer.status, error.code, error.hint]).toEqual([status, code, expect.any(String)]);
    expect(JSON.stringify(answer.body)).not.toMatch(/node_modules|\.ts:|\.js:/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('an upload without a file', async () => {
    const { status, body } = await ann('POST', '/v1/datasets/x', undefined, {});
    expect([status, body]).toMatchObject([400, { error: { code: '22023', message: 'the request has no file' } }]);
  });

  test('a body that is no JSON, or of another type', async () => {
    const json = { 'content-type': 'application/json' };
    expect(await ann('POST', '/v1/studies', '{', json)).toMatchObject({
      status: 400,
      body: { error: { code: '22023' } },
    });
    expect((await ann('POST', '/v1/studies', 'a,b', { 'content-type': 'text/csv' })).status).toBe(415);
    expect((await ann('POST', '/v1/studies', 'a,b', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await ann('POST', '/v1/datasets/x', 'a,a\n1,2', { 'content-type': 'text/csv' })).body).toMatchObject({
      error: { code: '22000' },
    });
    expect((await ann('POST', '/v1/datasets/x', 'a,b\n1', { 'content-type': 'text/csv' })).body).toMatchObject({
      error: { code: '22000' },
    });
  });

  test('a budget that cannot be met is an error with its code', async () => {
    const answer = await ann(
      'POST',
      '/v1/models/films/predict',
      { query: 'new text' },
      { 'rafiki-latency-budget': '1us', 'rafiki-on-overdue': 'error' },
    );
    expect(answer).toMatchObject({ status: 504, body: { error: { code: '57014' } } });
    const wrong = await ann('POST', '/v1/models/films/predict', { query: 'x' }, { 'rafiki-latency-budget': 'soon' });
    expect(wrong).toMatchObject({ status: 400, body: { error: { code: '22023' } } });
  });
});
