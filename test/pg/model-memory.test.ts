import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Heartbeat } from '../../src/db/heartbeat.ts';
import type { TrainedModel } from '../../src/domain/training.ts';
import { ModelFiles } from '../../src/params/model-files.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import type { LatencyOptions } from '../../src/protocol/latency-options.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { ModelMemory } from '../../src/serving/devices/model-memory.ts';
import { policyByName } from '../../src/serving/policies/registry.ts';
import { PredictStat } from '../../src/serving/predict-stat.ts';
import { Serving } from '../../src/serving/serving.ts';
import { StatWriter } from '../../src/serving/stat-writer.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { eventually } from '../support/rafiki-up.ts';
import { deployTinyModel, keyOf, trainTinyModel } from '../support/tiny-model.ts';

let trained: TrainedModel;
let database: TestDatabase;
let db: TestDatabase['db'];
let cacheDir: string;
let store: PostgresParamStore;
let serving: Serving;
let memory: ModelMemory;

beforeAll(async () => {
  trained = await trainTinyModel();
});
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  store = new PostgresParamStore({ database: database.service, cacheBytes: 1 });
  cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-models-'));
});
afterEach(async () => {
  await serving.stop();
  await database.drop();
  rmSync(cacheDir, { recursive: true });
});

const MB = 2 ** 20;

/** A server with memory for so many of these models: each takes 1 MB and its file twice. */
async function start(fitting: number): Promise<void> {
  memory = new ModelMemory(fitting * (MB + 2 * 64 * 1024) + MB / 2);
  const files = new ModelFiles(store, cacheDir);
  const policy = policyByName('planner');
  serving = new Serving({
    database: database.service,
    files,
    memory,
    policy,
    threads: 0,
    synthetic: null,
    logger: silentLogger,
  });
  await serving.start();
}

const deploy = (model: string, version = 1, files: Pick<TrainedModel, 'onnx' | 'features'> = trained): Promise<void> =>
  deployTinyModel({ db, store }, { model, version, trained: files });

const stateOf = async (model: string): Promise<Record<string, unknown>> =>
  (
    await db.query<Record<string, unknown>>(
      `select v.version, d.state, d.error from rafiki.deployment d join rafiki.model_version v on v.id = d.version_id
       join rafiki.model m on m.id = d.model_id where m.name = $1 order by d.id desc limit 1`,
      [model],
    )
  )[0] ?? {};

const isReady = (model: string, version = 1): Promise<boolean> =>
  eventually(async () => {
    const found = await stateOf(model);
    return found['version'] === version && found['state'] === 'ready' ? true : undefined;
  });

const idOf = async (model: string): Promise<number> =>
  (await db.query<{ id: number }>('select id from rafiki.model where name = $1', [model]))[0]?.id ?? 0;

const patient: LatencyOptions = { budgetMs: 60_000, onOverdue: 'answer' };

const askBy = (key: string, text: string, terms = patient): Promise<(string | null)[]> =>
  serving.connect().predictMany({ key, inputKind: 'text', role: 'a', inputs: [text] }, terms);

/** For what fails as it should; anything else is thrown. */
const refusedWith =
  (sqlstate: string) =>
  (error: unknown): true => {
    expect(error).toMatchObject({ sqlstate });
    return true;
  };

async function ask(model: string, text: string, terms = patient): Promise<string | null> {
  const [label] = await askBy(await keyOf(db, model), text, terms);
  return label ?? null;
}

test('with more models than memory, each answers its calls, and those called often stay loaded', async () => {
  for (const name of ['a', 'b', 'c', 'd']) await deploy(name);
  await start(2);
  for (const name of ['a', 'b', 'c', 'd']) await isReady(name);
  for (let i = 0; i < 12; i++) {
    const name = 'abacadabacad'[i] as string;
    expect(await ask(name, `good film, seen ${i} times`)).toBe('pos');
    expect(memory.usedBytes).toBeLessThanOrEqual(memory.budgetBytes);
  }
  const loads = async (): Promise<Record<string, number> | undefined> => {
    const rows = await db.query<{ model: string; loads: number; computed: number; mb: number }>(
      'select model, loads::int, computed::int, mb::float8 from rafiki.stat_memory order by model',
    );
    if (rows.reduce((sum, { computed }) => sum + computed, 0) < 12) return undefined;
    expect(rows.filter(({ mb }) => mb > 0)).toHaveLength(2);
    return Object.fromEntries(rows.map(({ model, loads }) => [model, loads]));
  };
  const counted = await eventually(loads); // written every two seconds
  expect(counted['a']).toBeLessThan((counted['b'] as number) + (counted['c'] as number) + (counted['d'] as number));
});

test('concurrent requests to an unloaded model wait for one load, and cached answers need none', async () => {
  for (const name of ['a', 'b']) await deploy(name);
  await start(1);
  await isReady('b');
  await ask('b', 'good');
  const key = await keyOf(db, 'a');
  const labels = await Promise.all(Array.from({ length: 20 }, (_, i) => askBy(key, `bad film ${i}`)));
  expect(labels).toEqual(Array.from({ length: 20 }, () => ['neg']));
  expect(await ask('b', 'good')).toBe('pos'); // remembered
  const [a, b] = await eventually(async () => {
    const rows = await db.query<{ loads: number; cold: number; computed: number }>(
      'select loads::int, cold::int, computed::int from rafiki.stat_memory order by model',
    );
    return rows.reduce((sum, { computed }) => sum + computed, 0) >= 21 ? rows : undefined; // one server writes row by row
  });
  expect([a?.loads, b?.loads]).toEqual([2, 1]); // when it was deployed, and for all twenty
  expect(a?.cold).toBe(20);
});

test('a model larger than all memory is refused with a hint, and the others continue', async () => {
  await deploy('small');
  await deploy('large', 1, {
    ...trained,
    features: { ...trained.features, state: { ...trained.features.state, ballast: new Uint8Array(2 * MB) } },
  });
  await start(2);
  await isReady('small');
  const unfit = await eventually(async () => {
    const found = await stateOf('large');
    return found['error'] === null ? undefined : found;
  });
  expect(unfit['state']).toBe('loading'); // another server may have the memory
  await expect(ask('large', 'good')).rejects.toMatchObject({ sqlstate: '53200' });
  expect(unfit['error']).toMatchObject({
    sqlstate: '53200',
    message: 'model "large", version 1, does not fit into the memory for models',
    hint: expect.stringContaining('RAFIKI_MODEL_MEMORY'),
  });
  expect(await ask('small', 'good')).toBe('pos');
});

test('a server whose folder fails takes no model out of service, reports why, and answers once the folder exists', async () => {
  await deploy('a');
  await start(2);
  await isReady('a');
  await serving.stop();
  rmSync(cacheDir, { recursive: true });
  writeFileSync(cacheDir, '');
  await start(2);
  const refused = { sqlstate: '58000', hint: expect.stringContaining('RAFIKI_CACHE_DIR') };
  await expect(ask('a', 'good')).rejects.toMatchObject(refused);
  expect(await stateOf('a')).toMatchObject({ state: 'ready', error: null });
  await deploy('b');
  const key = await keyOf(db, 'b');
  await eventually(() => askBy(key, 'good').then(() => undefined, refusedWith('58000')));
  const noted = await eventually(async () => ((await stateOf('b'))['error'] === null ? undefined : stateOf('b')));
  expect(noted).toMatchObject({ state: 'loading', error: refused });
  rmSync(cacheDir);
  await isReady('b');
  const answers = (): Promise<string | undefined> =>
    ask('a', 'good').then(
      (label) => label ?? undefined,
      () => undefined,
    );
  expect(await eventually(answers)).toBe('pos');
});

test('the counters of a model are deleted when it is dropped', async () => {
  for (const name of ['a', 'b']) await deploy(name);
  await start(2);
  await isReady('b');
  await ask('a', 'good');
  const counts = new Map([await idOf('a'), await idOf('b')].map((id) => [id, new PredictStat()]));
  const heartbeat = { id: 1 } as Heartbeat;
  const writer = new StatWriter({
    database: database.service,
    heartbeat,
    logger: silentLogger,
    stats: () => counts,
    everyMs: 5,
    purgeMs: 0,
  });
  await writer.start();
  await db.query(`delete from rafiki.model where name = 'a'`);
  const left = await idOf('b');
  await eventually(async () => (counts.size === 1 ? true : undefined));
  expect([...counts.keys()]).toEqual([left]);
  await writer.stop();
});

test('a request that would be late is refused in time while the model is loaded', async () => {
  for (const name of ['a', 'b']) await deploy(name);
  await start(1);
  await isReady('b');
  await ask('b', 'good');
  await expect(ask('a', 'good', { budgetMs: 0.01, onOverdue: 'error' })).rejects.toMatchObject({ sqlstate: '57014' });
  expect(await ask('a', 'good')).toBe('pos');
});

test('a new version takes over while the old one is unloaded, and a model can be dropped while it is loaded', async () => {
  for (const name of ['a', 'b', 'c']) await deploy(name);
  await start(1);
  await isReady('c');
  await ask('c', 'good');
  await deploy('a', 2);
  const questions = Array.from({ length: 30 }, (_, i) => ask('a', `good film again ${i}`));
  await isReady('a', 2);
  expect(new Set(await Promise.all(questions))).toEqual(new Set(['pos']));
  const keyOfB = await keyOf(db, 'b');
  const last = ask('b', 'bad film at the end');
  await db.query(`update rafiki.deployment set state = 'retired', retired_at = now()
                  where model_id = (select id from rafiki.model where name = 'b')`);
  expect(await last).toBe('neg');
  await eventually(() => askBy(keyOfB, 'good').then(() => undefined, refusedWith('42704')));
  expect(memory.usedBytes).toBeLessThanOrEqual(memory.budgetBytes);
});

test('a damaged file is fetched again', async () => {
  for (const name of ['a', 'b']) await deploy(name);
  await start(1);
  await isReady('b');
  await ask('b', 'good');
  const dir = path.join(cacheDir, 'models');
  for (const file of readdirSync(dir)) rmSync(path.join(dir, file));
  expect(await ask('a', 'good')).toBe('pos');
});

test('a model with too many classes for a server fails alone, and a deployed one continues', async () => {
  await db.query('alter table rafiki.model_version drop constraint if exists model_version_classes');
  const widen = `update rafiki.model_version v set classes = array['a', repeat('b', 2000000)] from rafiki.model m
    where m.id = v.model_id and m.name = $1`;
  for (const name of ['a', 'wide', 'z']) await deploy(name);
  await db.query(widen, ['wide']);
  await start(3);
  for (const name of ['a', 'z']) expect(await ask(name, 'good film')).toBe('pos');
  const failed = await eventually(async () => {
    const found = await stateOf('wide');
    return found['state'] === 'failed' ? found : undefined;
  });
  expect(failed['error']).toMatchObject({ sqlstate: '54000', hint: expect.stringContaining('Train again') });
  await db.query(widen, ['a']);
  await deploy('later');
  await isReady('later'); // and so the rows were looked at
  expect(await ask('a', 'good film, seen later')).toBe('pos');
});
