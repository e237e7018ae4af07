import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createBridge } from '../../src/bridge/create-bridge.ts';
import type { Database } from '../../src/db/database.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Service } from '../../src/runtime/service.ts';
import { createSpanExporter } from '../../src/tracing/span-exporter.ts';
import type { HttpClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { deployTinyModel, trainTinyModel } from '../support/tiny-model.ts';

interface SentSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  status: { code?: number };
  attributes: { key: string; value: Record<string, unknown> }[];
}

/** Spans as a collector of OpenTelemetry gets them. */
let database: TestDatabase;
let ann: Database;
let asAnn: HttpClient;
let bridge: Service;
let http: TestHttp;
let cacheDir: string;
let collector: Server;
let exporter: Service;
let sent: SentSpan[];

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const traceparent = `00-${TRACE}-${PARENT}-01`;

beforeAll(async () => {
  database = await createTestDatabase();
  const { db, service } = database;
  const store = new PostgresParamStore({ database: db, cacheBytes: 1 });
  cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-models-'));
  await deployTinyModel({ db, store }, { model: 'films', version: 1, trained: await trainTinyModel() });
  bridge = createBridge({ database: service, port: 0, cacheDir, logger: silentLogger });
  await bridge.start();
  http = await startHttp(database);
  const { client, role } = await http.as('ann');
  asAnn = client;
  await db.query('select rafiki_grant($1, $2)', ['films', role]);
  ann = await database.as('ann');
});
afterAll(async () => {
  await http.server.stop();
  await bridge.stop();
  await database.drop();
  rmSync(cacheDir, { recursive: true });
});

beforeEach(async () => {
  sent = [];
  collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as {
        resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[];
      };
      for (const { scopeSpans } of body.resourceSpans) for (const { spans } of scopeSpans) sent.push(...spans);
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  await export_(0);
});
afterEach(async () => {
  await exporter.stop();
  collector.closeAllConnections();
  await new Promise((resolve) => collector.close(resolve));
  await ann.query('reset rafiki.traceparent');
});

async function export_(share: number): Promise<void> {
  const { port } = collector.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/v1/traces`;
  exporter = createSpanExporter({ process: 'test', url, share, logger: silentLogger });
  await exporter.start();
}

const called = (name: string): SentSpan[] => sent.filter((span) => span.name === name);
const attributesOf = (span: SentSpan | undefined): Record<string, unknown> =>
  Object.fromEntries(span?.attributes.map(({ key, value }) => [key, Object.values(value)[0]]) ?? []);

test('a call from SQL, and its batch', async () => {
  await ann.query(`set rafiki.traceparent = '${traceparent}'`);
  await ann.query(`select rafiki_predict('films', 'a good film')`);
  await ann.query(`select rafiki_predict('films', array['one', 'two', 'three'])`);
  await exporter.stop();
  const [one] = called('rafiki predict');
  const [many] = called('rafiki predict_rows');
  expect(one).toMatchObject({ traceId: TRACE, parentSpanId: PARENT });
  expect(attributesOf(one)).toMatchObject({ 'rafiki.model': 'films' });
  expect(attributesOf(many)).toMatchObject({ 'rafiki.model': 'films', 'rafiki.rows': 3 });
  const batches = called('rafiki batch');
  expect(batches.map(({ traceId, parentSpanId }) => ({ traceId, parentSpanId }))).toEqual(
    expect.arrayContaining([one, many].map((call) => ({ traceId: TRACE, parentSpanId: call?.spanId }))),
  );
});

test('a request over HTTP, the call that it makes, and its batch', async () => {
  const asked = await asAnn('POST', '/v1/models/films/predict', { query: 'a bad film' }, { traceparent });
  expect(asked.status).toBe(200);
  await exporter.stop();
  const [request] = called('POST /v1/models/:model/predict');
  const [call] = called('rafiki predict');
  const [batch] = called('rafiki batch');
  expect(request).toMatchObject({ traceId: TRACE, parentSpanId: PARENT });
  expect(attributesOf(request)).toMatchObject({ 'http.response.status_code': 200, 'http.request.method': 'POST' });
  expect(call).toMatchObject({ traceId: TRACE, parentSpanId: request?.spanId });
  expect(batch).toMatchObject({ traceId: TRACE, parentSpanId: call?.spanId });
});

test('a call that fails', async () => {
  await ann.query(
    `set rafiki.traceparent = '${traceparent}'; set rafiki.latency_budget = '0.001ms'; set rafiki.on_overdue = 'error'`,
  );
  await failureOf(ann, `select rafiki_predict('films', 'a late film')`);
  await ann.query('reset rafiki.latency_budget; reset rafiki.on_overdue');
  await exporter.stop();
  const [call] = called('rafiki predict');
  expect(call?.status.code).toBe(2);
  expect(attributesOf(call)).toMatchObject({ 'error.type': '57014' });
});

test('nothing of calls whose callers do not trace, or do not want it', async () => {
  await ann.query(`select rafiki_predict('films', 'a dull film')`);
  await ann.query(`set rafiki.traceparent = '00-${TRACE}-${PARENT}-00'`);
  await ann.query(`select rafiki_predict('films', 'a long film')`);
  for (const header of ['', 'x', `00-${TRACE}`, `00-${'0'.repeat(32)}-${PARENT}-01`]) {
    const { status } = await asAnn('POST', '/v1/models/films/predict', { query: 'x' }, { traceparent: header });
    expect([header, status]).toEqual([header, 200]);
  }
  await exporter.stop();
  expect(sent).toEqual([]);
});

test('a share of the others', async () => {
  await exporter.stop();
  await export_(1);
  await ann.query(`select rafiki_predict('films', 'a short film')`);
  await exporter.stop();
  expect(called('rafiki predict')).toHaveLength(1);
  expect(called('rafiki predict')[0]?.parentSpanId ?? '').toBe('');
});

test('a setting that is no traceparent is refused', async () => {
  await ann.query(`set rafiki.traceparent = 'mine'`);
  expect(await failureOf(ann, `select rafiki_predict('films', 'x')`)).toMatchObject({
    code: '22023',
    detail: expect.stringContaining('mine'),
  });
});

test('a collector that does not answer delays no call, and no end', async () => {
  collector.removeAllListeners('request');
  await ann.query(`set rafiki.traceparent = '${traceparent}'`);
  for (let i = 0; i < 20; i++) await ann.query(`select rafiki_predict('films', $1)`, [`film ${i}`]);
  await exporter.stop(); // within the test's time
});
