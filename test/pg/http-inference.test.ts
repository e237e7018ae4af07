import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBridge } from '../../src/bridge/create-bridge.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import type { Service } from '../../src/runtime/service.ts';
import { type HttpClient, httpClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { deviation, protocolPaths } from '../support/open-inference.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { deployTinyModel, trainTinyModel } from '../support/tiny-model.ts';

let database: TestDatabase;
let bridge: Service;
let http: TestHttp;
let ann: HttpClient;
let cacheDir: string;

const model = 'films "ü"/1';
const named = encodeURIComponent(model);

interface InferAnswer {
  model_name: string;
  model_version: string;
  id?: string;
  outputs: { name: string; shape: number[]; datatype: string; data: (string | number)[] }[];
  error?: string;
}

beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  const store = new PostgresParamStore({ database: db, cacheBytes: 1 });
  cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-models-'));
  await deployTinyModel({ db, store }, { model, version: 3, trained: await trainTinyModel() });
  bridge = createBridge({ database: database.service, port: 0, cacheDir, logger });
  await bridge.start();
  http = await startHttp(database);
  const { client, role } = await http.as('ann');
  ann = client;
  await db.query('select rafiki_grant($1, $2)', [model, role]);
});
afterAll(async () => {
  await http.server.stop();
  await bridge.stop();
  await database.drop();
  rmSync(cacheDir, { recursive: true });
});

const texts = (data: unknown, shape: unknown = [(data as unknown[]).length]) => ({
  name: 'text',
  shape,
  datatype: 'BYTES',
  data,
});
const infer = (body: unknown, headers: Record<string, string> = {}) =>
  ann<InferAnswer>('POST', `/v2/models/${named}/infer`, body, headers);

test('every path of the protocol answers as it says', async () => {
  const seen: [string, number][] = [];
  for (const [method, template] of protocolPaths()) {
    const place = template.replace('{MODEL_NAME}', named).replace('{MODEL_VERSION}', '3');
    const body = method === 'post' ? { inputs: [texts(['good film'])] } : undefined;
    const answer = await ann(method.toUpperCase(), place, body);
    expect([template, deviation(method, template, answer)]).toEqual([template, undefined]);
    seen.push([template, answer.status]);
    if (!template.includes('MODEL')) continue;
    const unknown = await ann(method.toUpperCase(), place.replace(named, 'nothing'), body);
    expect([template, unknown.status, deviation(method, template, unknown)]).toEqual([template, 404, undefined]);
    const nobody = await httpClient(http.url)(method.toUpperCase(), place, body);
    expect([template, nobody.status, deviation(method, template, nobody)]).toEqual([template, 401, undefined]);
  }
  expect(seen.map(([, status]) => status)).toEqual(seen.map(() => 200));
});

test('metadata name the tensors, and the classes in the order of the probabilities', async () => {
  const { body } = await ann('GET', `/v2/models/${named}`);
  expect(body).toEqual({
    name: model,
    versions: ['3'],
    platform: 'onnx_onnxruntime',
    inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
    outputs: [
      { name: 'label', datatype: 'BYTES', shape: [-1] },
      { name: 'probabilities', datatype: 'FP64', shape: [-1, 2] },
    ],
    properties: { task: 'sentiment', classes: '["neg","pos"]' },
  });
});

test('labels, probabilities and classes are what SQL answers', async () => {
  const inputs = ['good film', 'bad film', 'good bad film', ''];
  const { body } = await infer({ id: 'x-1', inputs: [texts(inputs)] });
  expect(body).toMatchObject({ model_name: model, model_version: '3', id: 'x-1' });
  const [labels, probabilities] = body.outputs;
  const rows = await database.db.query<{ label: string; detail: { probabilities: Record<string, number> } }>(
    'select rafiki_predict($1, t) as label, rafiki_predict_detail($1, t) as detail from unnest($2::text[]) t',
    [model, inputs],
  );
  expect(labels).toEqual({ name: 'label', datatype: 'BYTES', shape: [4], data: rows.map(({ label }) => label) });
  const expected = rows.flatMap(({ detail }) => [detail.probabilities['neg'], detail.probabilities['pos']]);
  expect(probabilities).toMatchObject({ name: 'probabilities', datatype: 'FP64', shape: [4, 2] });
  expect(probabilities?.data).toEqual(expected);

  const best = await infer({
    inputs: [texts([['good film'], ['bad film']], [2, 1])],
    outputs: [{ name: 'probabilities', parameters: { classification: 1 } }, { name: 'label' }],
  });
  expect(best.body.outputs[0]).toMatchObject({
    datatype: 'BYTES',
    shape: [2, 1],
    data: [/^0?\.?\d+:1:pos$|^1:1:pos$/, /:0:neg$/].map((it) => expect.stringMatching(it)),
  });
  expect(best.body.outputs[1]?.data).toEqual(['pos', 'neg']);
});

test.each([
  ['a shape that is not that of the data', { inputs: [texts(['a'], [2])] }],
  ['too many elements', { inputs: [texts(['a', 'b'], [1])] }],
  ['a negative dimension', { inputs: [texts(['a'], [-1])] }],
  ['no dimension', { inputs: [texts(['a'], [])] }],
  ['a size that overflows', { inputs: [texts(['a'], [2 ** 31, 2 ** 31])] }],
  ['several elements a row', { inputs: [texts(['a', 'b'], [1, 2])] }],
  ['an unknown input', { inputs: [{ ...texts(['a']), name: 'other' }] }],
  ['an input twice', { inputs: [texts(['a']), texts(['a'])] }],
  ['an output twice', { inputs: [texts(['a'])], outputs: [{ name: 'label' }, { name: 'label' }] }],
  ['an unknown output', { inputs: [texts(['a'])], outputs: [{ name: 'other' }] }],
  ['an unknown datatype', { inputs: [{ ...texts(['a']), datatype: 'TEXT' }] }],
  ['a datatype of Object.prototype', { inputs: [{ ...texts(['a']), datatype: 'constructor' }] }],
  ["a datatype that is not the data's", { inputs: [{ ...texts([1]), datatype: 'INT8' }] }],
  ['numbers as BYTES', { inputs: [texts([1])] }],
  ['null', { inputs: [texts([null])] }],
  ['an object as an element', { inputs: [texts([{}])] }],
  ['binary data', { inputs: [{ ...texts(['a']), parameters: { binary_data_size: 5 } }] }],
  ['no inputs', { inputs: [] }],
  ['no list of inputs', { inputs: 'text' }],
  ['no object', ['a']],
  ['an id that is no string', { id: 7, inputs: [texts(['a'])] }],
  [
    'a classification of 0',
    { inputs: [texts(['a'])], outputs: [{ name: 'label', parameters: { classification: 0 } }] },
  ],
  ['NUL', { inputs: [texts(['a\0b'])] }],
])('refuses %s', async (_, body) => {
  const answer = await infer(body);
  expect([answer.status, typeof answer.body.error]).toEqual([400, 'string']);
  expect(deviation('post', '/v2/models/{MODEL_NAME}/infer', answer)).toBeUndefined();
});

test('a version that is not deployed, and deep JSON, are refused', async () => {
  const old = await ann('POST', `/v2/models/${named}/versions/2/infer`, { inputs: [texts(['a'])] });
  expect(old).toMatchObject({ status: 404, body: { error: expect.stringContaining('version 2') } });
  const deep = `{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}]}`;
  const answer = await ann('POST', `/v2/models/${named}/infer`, deep, { 'content-type': 'application/json' });
  expect([answer.status, deviation('post', '/v2/models/{MODEL_NAME}/infer', answer)]).toEqual([413, undefined]);
});

/** Requests that are right, and others that are wrong in one or several places. */
const tensor = fc
  .tuple(
    fc.oneof({ weight: 9, arbitrary: fc.constant('text') }, fc.string()),
    fc.oneof({ weight: 9, arbitrary: fc.constant('BYTES') }, fc.constantFrom('FP32', 'INT64', 'BOOL', 'UINT8', '?')),
    fc.array(
      fc.oneof(
        { weight: 20, arbitrary: fc.string({ unit: 'grapheme' }) },
        fc.integer(),
        fc.boolean(),
        fc.double(),
        fc.string({ unit: 'binary' }),
      ),
      { minLength: 1, maxLength: 6 },
    ),
    fc.constantFrom('right', 'right', 'right', 'nested', 'wrong', 'negative'),
  )
  .map(([name, datatype, data, kind]) => ({
    name,
    datatype,
    shape:
      kind === 'wrong'
        ? [data.length + 1]
        : kind === 'negative'
          ? [-data.length]
          : kind === 'nested'
            ? [data.length, 1]
            : [data.length],
    data: kind === 'nested' ? data.map((each) => [each]) : data,
  }));

const request = fc.record(
  {
    id: fc.oneof({ weight: 5, arbitrary: fc.string() }, fc.integer()),
    parameters: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean())),
    // a model of texts has one; of more it says so
    inputs: fc.oneof({ weight: 3, arbitrary: fc.tuple(tensor) }, fc.array(tensor, { minLength: 2, maxLength: 2 })),
    outputs: fc.array(
      fc.record(
        {
          name: fc.oneof({ weight: 9, arbitrary: fc.constantFrom('label', 'probabilities') }, fc.string()),
          parameters: fc.record({ classification: fc.integer({ min: -1, max: 3 }) }, { requiredKeys: [] }),
        },
        { requiredKeys: ['name'] },
      ),
      { maxLength: 2 },
    ),
  },
  { requiredKeys: ['inputs'] },
);

test('2,000 generated requests: answers and errors are as the protocol says', async () => {
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(request, async (body) => {
      const answer = await infer(body);
      expect(deviation('post', '/v2/models/{MODEL_NAME}/infer', answer)).toBeUndefined();
      expect([200, 400]).toContain(answer.status);
      if (answer.status !== 200) return;
      answered++;
      expect(answer.body.id).toBe(body.id);
      for (const { shape, data } of answer.body.outputs) {
        expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
        expect(shape[0]).toBe(body.inputs[0]?.data.length);
      }
    }),
    { numRuns: 2000 },
  );
  expect(answered).toBeGreaterThan(200);
});

test("Triton's repository and statistics", async () => {
  expect((await ann('POST', '/v2/repository/index', {})).body).toEqual([
    { name: model, version: '3', state: 'READY', reason: '' },
  ]);
  expect((await ann('POST', '/v2/repository/index', { ready: true })).body).toHaveLength(1);
  expect((await ann('GET', `/v2/models/${named}/stats`)).body).toMatchObject({
    model_stats: [{ name: model, version: '3', inference_stats: { success: { ns: 0 } } }],
  });
  const refused = await ann('POST', `/v2/repository/models/${named}/unload`, {});
  expect(refused.status).toBe(403); // it is granted, not owned
});
