import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CurvesAnswer } from '../../src/http/charts/curves.ts';
import type { HistoryAnswer } from '../../src/http/charts/history.ts';
import type { KnobValuesAnswer } from '../../src/http/charts/knob-values.ts';
import { type HttpClient, tokenClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { insertManyTrials } from '../support/many-trials.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let http: TestHttp;
let ann: HttpClient;
let bob: HttpClient;
let few: number;
let many: number;
/** With a trial of ten minutes in the last hour, and one that a worker lost and that waits for the next. */
let recent: number;

beforeAll(async () => {
  database = await createTestDatabase();
  http = await startHttp(database);
  const { client, role } = await http.as('ann');
  ann = client;
  ({ client: bob } = await http.as('bob'));
  few = await insertManyTrials(database.db, { owner: role, trials: 60 });
  many = await insertManyTrials(database.db, { owner: role, trials: 3_000 });
  recent = await insertManyTrials(database.db, { owner: role, trials: 2 });
  await database.db.query(
    `update rafiki.trial set worker = 200 + number, started_at = now() - interval '30 min', state = case number when 1 then 'completed' else 'waiting' end,
       ended_at = case number when 1 then now() - interval '20 min' end where study_id = $1`,
    [recent],
  );
  await insertServed(role);
});
afterAll(async () => {
  await http.server.stop();
  await database.drop();
});

/** A model of the role that has answered two calls. */
async function insertServed(role: string): Promise<void> {
  await database.db.query(
    `with process as (insert into rafiki.process (kind, host, pid, version) values ('serving', 'h', 1, '1') returning id),
     model as (insert into rafiki.model (name, task, owner) values ('served', 'sentiment', $1::regrole) returning id),
     version as (insert into rafiki.model_version (model_id, version, score, classes) select id, 3, 1, '{neg,pos}' from model returning *),
     deployment as (insert into rafiki.deployment (model_id, version_id, state) select model_id, id, 'ready' from version)
     insert into rafiki.predict_stat (process_id, model_id, calls, rows, cached, batches, overdue) select p.id, m.id, 2, 5, 1, 1, 0 from process p, model m`,
    [role],
  );
}

const utilised = () => [{ worker: 201, busy_s: 600, trials: 1, studies: [recent] }];
const served = [expect.objectContaining({ model: 'served', version: 3, calls: 2, rows: 5, cached: 1 })];

test('a history has all trials, in columns of one length', async () => {
  const { body, headers } = await ann<HistoryAnswer>('GET', `/v1/studies/${many}/history`);
  expect(headers.get('content-encoding')).toBe('gzip');
  const { states, families, ...columns } = body;
  expect(families).toEqual(['fasttext', 'temporal_cnn']);
  for (const column of Object.values(columns)) expect(column).toHaveLength(3_000);
  const place = body.trial.indexOf(50);
  expect([states[body.state[place] ?? 0], families[body.family[place] ?? 0], body.score[place]]).toEqual([
    'failed',
    'fasttext',
    null,
  ]);
  const child = body.trial.indexOf(12);
  expect([body.parent[child], body.worker[child]]).toEqual([6, 104]);
  expect(body.ended_s[child]).toBeGreaterThan(body.began_s[child] as number);
});

test('from a number on it has the later trials', async () => {
  const { body } = await ann<HistoryAnswer>('GET', `/v1/studies/${many}/history?from=2999`);
  expect(body.trial).toEqual([2999, 3000]);
  const none = await ann<HistoryAnswer>('GET', `/v1/studies/${many}/history?from=3001`);
  expect(none.body).toMatchObject({ trial: [], score: [], families: ['fasttext', 'temporal_cnn'] });
});

test('of few trials there are all curves, of many the best and an even choice', async () => {
  const all = await ann<CurvesAnswer>('GET', `/v1/studies/${few}/curves`);
  expect([all.body.of, all.body.curves.length]).toEqual([59, 59]);
  expect(all.body.curves[0]?.epochs).toEqual([1, 2, 3, 4, 5, 6]);
  const { body } = await ann<CurvesAnswer>('GET', `/v1/studies/${many}/curves`);
  expect(body.of).toBe(2_940);
  expect(body.curves.length).toBeGreaterThan(700);
  expect(body.curves.length).toBeLessThanOrEqual(1_000);
  const { body: best } = await ann<{ trials: { trial: number }[] }>(
    'GET',
    `/v1/studies/${many}/trials?order=best&limit=200`,
  );
  const shown = new Set(body.curves.map(({ trial }) => trial));
  expect(best.trials).toHaveLength(200);
  expect(best.trials.every(({ trial }) => shown.has(trial))).toBe(true);
});

test('knobs of a family are columns, too', async () => {
  const { body } = await ann<KnobValuesAnswer>('GET', `/v1/studies/${few}/knob_values?family=fasttext`);
  expect(body.of).toBe(body.trial.length);
  expect(body.knobs.map(({ knob }) => knob)).toEqual(['dim', 'dropout', 'learning_rate', 'word_ngrams']);
  for (const { values, domain } of body.knobs) {
    expect(values).toHaveLength(body.trial.length);
    expect(domain).toEqual(expect.any(Object));
  }
  const other = await ann<KnobValuesAnswer>('GET', `/v1/studies/${few}/knob_values?family=none`);
  expect(other.body).toMatchObject({ of: 0, trial: [], knobs: [] });
});

test('importance, the report, failed trials and utilisation', async () => {
  const { body } = await ann<{ importance: { family: string }[] }>('GET', `/v1/studies/${many}/importance`);
  expect(body.importance.map(({ family }) => family)).toContain('fasttext');
  const report = await ann<{ of: number; parts: object[] }>('GET', `/v1/studies/${many}/report`);
  expect([report.body.of > 3_000, report.body.parts.length]).toEqual([true, 200]);
  const failed = await ann<{ trials: object[] }>('GET', `/v1/studies/${many}/trials?state=failed`);
  expect(failed.body.trials).toHaveLength(60);
  expect((await ann('GET', '/v1/workers/utilisation')).body).toEqual({ workers: utilised() });
  expect((await ann('GET', '/v1/serving')).body).toEqual({ models: served });
});

test('a token has the same charts as the password', async () => {
  const session = await database.as('ann');
  const [made] = await session.query<{ token: string }>(`select rafiki_create_token('charts') as token`);
  const byToken = tokenClient(http.url, made?.token ?? '');
  const charts = ['history?from=50', 'curves', 'knob_values?family=fasttext', 'importance', 'report'].map(
    (chart) => `/v1/studies/${few}/${chart}`,
  );
  for (const path of [...charts, '/v1/serving', '/v1/workers/utilisation']) {
    const [token, password] = [await byToken('GET', path), await ann('GET', path)];
    expect([path, token.status, token.body]).toEqual([path, 200, password.body]);
  }
  expect((await byToken('GET', '/v1/workers/utilisation')).body).toEqual({ workers: utilised() });
  expect((await byToken('GET', '/v1/serving')).body).toEqual({ models: served });
  expect((await byToken('GET', '/v1/models/m/inputs')).status).toBe(404);
  expect((await byToken('POST', '/v1/models/m/mistakes', { source: 'public.many' })).status).toBe(404);
});

test.each(['history', 'curves', 'knob_values?family=fasttext', 'importance', 'report', 'trials?state=failed'])(
  'another role sees no %s',
  async (path) => {
    expect((await bob('GET', `/v1/studies/${few}/${path}`)).status).toBe(404);
    expect((await ann('GET', `/v1/studies/${few}/${path}`)).status).toBe(200);
  },
);

test('another role has no utilisation, calls, inputs, mistakes or explanations', async () => {
  expect((await ann('GET', '/v1/workers/utilisation')).body).toEqual({ workers: utilised() });
  expect((await bob('GET', '/v1/workers/utilisation')).body).toEqual({ workers: [] });
  expect((await ann('GET', '/v1/serving')).body).toEqual({ models: served });
  expect((await bob('GET', '/v1/serving')).body).toEqual({ models: [] });
  const asked = [
    ['GET', 'inputs', undefined, 200],
    ['POST', 'mistakes', { source: 'public.many' }, 200],
    ['POST', 'explain', { query: 'x' }, 503], // no server runs here
  ] as const;
  for (const [method, path, body, status] of asked) {
    const statuses = [ann, bob].map(async (role) => (await role(method, `/v1/models/served/${path}`, body)).status);
    expect([path, ...(await Promise.all(statuses))]).toEqual([path, status, 404]);
  }
});
