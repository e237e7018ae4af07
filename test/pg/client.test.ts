import { connect, createServer, type Server, type Socket } from 'node:net';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientTypes } from '../../scripts/docs/client-types.ts';
import {
  Conflict,
  InvalidRequest,
  NotAllowed,
  NotFound,
  NotSignedIn,
  Rafiki,
  type RafikiApi,
  TimedOut,
  Unavailable,
} from '../../src/client/rafiki.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';

/** The SDK against the server; with --update it writes src/client/api.ts. */
let database: TestDatabase;
let processes: RunningProcesses;
let http: TestHttp;
let role: string;
let ann: Rafiki;

const csv = [
  'label,body',
  ...Array.from({ length: 80 }, (_, i) => `${i % 2 ? 'pos' : 'neg'},film ${i} was ${i % 2 ? 'great' : 'awful'}`),
];

beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.query('grant create on schema public to public');
  processes = await startProcesses(database.service);
  http = await startHttp(database);
  ({ role } = await http.as('ann'));
  ann = new Rafiki({ url: `${http.url}/`, role, password: 'secret' });
});
afterAll(async () => {
  await http.server.stop();
  await processes.stop();
  await database.drop();
});

test('its types are those of the OpenAPI document', async () => {
  const document = await (await fetch(`${http.url}/openapi.json`)).json();
  await expect(clientTypes(document as never)).toMatchFileSnapshot('../../src/client/api.ts');
});

/** Passes connections on, and cuts them when asked. */
async function startCutter(): Promise<{ url: string; cut(): void; server: Server }> {
  const open = new Set<Socket>();
  const target = new URL(http.url);
  const server = createServer((socket) => {
    const onward = connect(Number(target.port), target.hostname);
    for (const each of [socket, onward]) {
      open.add(each);
      each.on('error', () => undefined);
      each.on('close', () => open.delete(each));
    }
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    cut: () => {
      for (const each of open) each.destroy();
    },
    server,
  };
}

describe('from a file to a prediction', () => {
  test('uploads, trains, watches across a cut connection, and predicts', async () => {
    expect(await ann.me()).toEqual({ role, roles: [] });
    expect(await ann.upload('reviews', csv.join('\n'))).toMatchObject({ dataset: 'public.reviews', rows: 80 });
    expect(await ann.datasets()).toMatchObject([{ name: 'public.reviews', owned: true }]);
    const token = await ann.createToken('app', { validFor: '1 day' });
    const cutter = await startCutter();
    const app = new Rafiki({ url: cutter.url, token });
    const { study } = await app.train({
      ...{ task: 'text_classification', source: 'reviews', target: 'label', features: ['body'], model: 'films' },
      ...{ families: ['fasttext'], max_trials: 2, max_time: '2 min', seed: 1 },
    });
    const seen: RafikiApi['Study'][] = [];
    for await (const each of app.watch(study)) {
      seen.push(each);
      if (seen.length === 1) cutter.cut();
    }
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toMatchObject({ study, state: 'completed', version: 1 });
    expect(await app.wait(study)).toMatchObject({ state: 'completed' });
    const films = () => app.predict('films', 'it was great');
    await expect.poll(films, { timeout: 20_000 }).toBe('pos');
    expect(await app.predict('films', ['awful', 'great'])).toEqual(['neg', 'pos']);
    expect(await app.detail('films', 'great', { latencyBudget: '10s' })).toMatchObject({ label: 'pos', versions: [1] });
    expect(await app.trials(study, { order: 'best', limit: 1 })).toHaveLength(1);
    expect(await app.evaluate('films', { source: 'reviews', target: 'label' })).toContainEqual(
      expect.objectContaining({ metric: 'accuracy' }),
    );
    expect(await app.cancel(study)).toBe(false);
    expect(await app.models()).toMatchObject([{ model: 'films' }]);
    expect((await app.exportModel('films')).length).toBeGreaterThan(1000);
    await app.deploy('films', 1);
    expect(await app.tokens()).toMatchObject([{ name: 'app' }]);
    cutter.cut();
    cutter.server.close();
  });
});

describe('errors', () => {
  test.each([
    ['a model that does not exist', () => ann.predict('none', 'x'), NotFound, '42704'],
    ['wrong arguments', () => ann.train({ task: 'sentiment', source: 'reviews; --' }), InvalidRequest, '42602'],
    ['a table that does not exist', () => ann.append('none', 'a\n1'), NotFound, '42P01'],
    ['a name that is taken', () => ann.upload('reviews', csv.join('\n')), Conflict, '42P07'],
    ['a wrong password', () => new Rafiki({ url: http.url, role, password: 'x' }).me(), NotSignedIn, '28P01'],
    ['no server', () => new Rafiki({ url: 'http://127.0.0.1:1', role }).me(), Unavailable, '08001'],
    [
      'a study of nobody',
      async () => {
        for await (const _ of ann.watch(999_999));
      },
      NotFound,
      '42704',
    ],
  ])('%s', async (_, work, kind, code) => {
    const error = await work().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ code, hint: expect.any(String), name: kind.name });
  });

  test('a file may be a stream', async () => {
    const parts = new Blob(['a,b\n', '1,x\n', '2,y\n']);
    expect(await ann.upload('streamed', parts.stream())).toMatchObject({ dataset: 'public.streamed', rows: 2 });
    expect(await ann.append('streamed', new Blob(['{"b": "z"}']).stream(), { format: 'jsonl' })).toEqual({
      dataset: 'public.streamed',
      rows: 1,
      columns: [{ name: 'b', type: 'text' }],
    });
    const bytes = new Uint8Array(
      parquetWriteBuffer({ columnData: [{ name: 'id', data: [1n, 2n, 3n], type: 'INT64' }] }),
    );
    const whole = new Blob([bytes]).stream();
    expect(await ann.upload('streamed_whole', whole, { format: 'parquet' })).toMatchObject({ rows: 3 });
  });

  test('a token makes no tables', async () => {
    const app = new Rafiki({ url: http.url, token: await ann.createToken('more') });
    await expect(app.upload('more', 'a\n1')).rejects.toBeInstanceOf(NotAllowed);
    expect(await app.studies()).toEqual(expect.any(Array));
    const shop = new Rafiki({ url: http.url, token: await ann.createToken('shop', { onlyPredicts: true }) });
    await expect(shop.studies()).rejects.toBeInstanceOf(NotAllowed);
  });

  test('time and abort end a request', async () => {
    await expect(ann.evaluate('films', { source: 'reviews' }, { timeoutMs: 1 })).rejects.toBeInstanceOf(TimedOut);
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    await expect(ann.studies({ signal: controller.signal })).rejects.toThrow('enough');
    await expect(ann.watch(1, { signal: controller.signal }).next()).rejects.toThrow('enough');
  });
});
