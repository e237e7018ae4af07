import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Database } from '../../src/db/database.ts';
import type { TrainedModel } from '../../src/domain/training.ts';
import { RafikiError } from '../../src/errors/rafiki-error.ts';
import { ModelFiles } from '../../src/params/model-files.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { ModelMemory } from '../../src/serving/devices/model-memory.ts';
import { policyByName } from '../../src/serving/policies/registry.ts';
import { Serving } from '../../src/serving/serving.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { eventually } from '../support/rafiki-up.ts';
import { deployTinyModel, keyOf, trainTinyModel } from '../support/tiny-model.ts';

/** Counts how often serving looks at the deployments. */
class CountedDatabase extends Database {
  looks = 0;
  override query<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]> {
    if (sql.includes('from rafiki.deployment d')) this.looks++;
    return super.query(sql, values);
  }
}

let trained: TrainedModel;
let database: TestDatabase;
let db: Database;
let counted: CountedDatabase;
let grantee: Database;
let role: string;
let store: PostgresParamStore;
let cacheDir: string;
let serving: Serving;

beforeAll(async () => {
  trained = await trainTinyModel();
});
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  store = new PostgresParamStore({ database: db, cacheBytes: 1 });
  cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-models-'));
  counted = new CountedDatabase({ url: database.service.url, application: 'test', logger: silentLogger });
  serving = new Serving({
    database: counted,
    files: new ModelFiles(store, cacheDir),
    memory: new ModelMemory(2 ** 30),
    policy: policyByName('planner'),
    threads: 0,
    synthetic: null,
    logger: silentLogger,
  });
  for (const model of ['a', 'b']) await deploy(model, 1);
  await serving.start();
  grantee = await database.as('grantee');
  role = (await grantee.query<{ role: string }>('select current_user::text as role'))[0]?.role ?? '';
  await db.query('select rafiki_grant($1, $2)', ['a', role]);
});
afterEach(async () => {
  await serving.stop();
  await counted.stop();
  await database.drop();
  rmSync(cacheDir, { recursive: true });
});

const deploy = (model: string, version: number): Promise<void> =>
  deployTinyModel({ db, store }, { model, version, trained });

const ask = (key: string, inputs = ['good film']): Promise<(string | null)[]> =>
  serving
    .connect()
    .predictMany({ key, inputKind: 'text', role: 'r', inputs }, { budgetMs: 60_000, onOverdue: 'answer' });

const revoke = (): Promise<unknown> => db.query('select rafiki_revoke($1, $2)', ['a', role]);

const stateOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'answered',
    (error: unknown) => (error instanceof RafikiError ? error.sqlstate : String(error)),
  );

const isRefused = (key: string): Promise<boolean> =>
  eventually(async () => (await stateOf(ask(key))) === '42704' || undefined);

test('a role that kept the key is refused immediately after its grant is revoked, and others continue', async () => {
  const kept = await keyOf(grantee, 'a');
  expect(await ask(kept)).toEqual(['pos']);
  const failures: unknown[] = [];
  let isOn = true;
  const owner = (async () => {
    while (isOn) {
      const key = await keyOf(db, 'a');
      await ask(key).catch(async (error: unknown) => {
        if (key === (await keyOf(db, 'a'))) failures.push(error); // else it was read before the revocation
      });
    }
  })();
  await revoke();
  expect(await isRefused(kept)).toBe(true);
  await pause(200);
  expect(await stateOf(ask(kept))).toBe('42704');
  expect(await ask(await keyOf(db, 'a'))).toEqual(['pos']);
  isOn = false;
  await owner;
  expect(failures).toEqual([]);
});

/** A version of model b that cannot become ready until this is called, so that loading stands still. */
async function stickLoading(): Promise<() => Promise<void>> {
  const holder = await db.connect(() => undefined);
  await holder.query('begin');
  await holder.query(
    `select from rafiki.deployment where state = 'ready' and model_id = (select id from rafiki.model where name = 'b') for update`,
  );
  await deploy('b', 2);
  await eventually(async () => {
    const [row] = await db.query<{ waits: boolean }>('select exists (select from pg_locks where not granted) as waits');
    return row?.waits || undefined;
  });
  return async () => {
    await holder.query('rollback');
    await holder.close();
  };
}

test('also while another model is being loaded', async () => {
  const kept = await keyOf(grantee, 'a');
  const goOn = await stickLoading();
  await revoke();
  expect(await isRefused(kept)).toBe(true);
  expect(await ask(await keyOf(db, 'a'))).toEqual(['pos']);
  expect(await ask(await keyOf(db, 'b'))).toEqual(['pos']);
  await goOn();
});

test('a running array request continues with its old key', async () => {
  const kept = await keyOf(db, 'a');
  const asked = ask(
    kept,
    Array.from({ length: 20_000 }, (_, i) => `good film ${i}`),
  );
  await revoke();
  expect(await isRefused(kept)).toBe(true);
  expect(new Set(await asked)).toEqual(new Set(['pos']));
});

test('a call that waits for its model is refused if its key is replaced', async () => {
  const goOn = await stickLoading();
  await deploy('c', 1);
  const waiting = stateOf(ask(await keyOf(db, 'c')));
  await pause(200);
  await db.query(
    `update rafiki.model_key k set key = gen_random_uuid() from rafiki.model m where m.id = k.model_id and m.name = 'c'`,
  );
  expect(await waiting).toBe('42704');
  const next = ask(await keyOf(db, 'c'));
  await goOn();
  expect(await next).toEqual(['pos']);
});

test('during a flood of notifications the rows are read at most ten times a second', async () => {
  const before = counted.looks;
  const startedMs = performance.now();
  for (let i = 0; i < 40; i++) {
    await grantee.query(`select pg_notify('rafiki_deployment', n::text) from generate_series(1, 500) n`);
  }
  await pause(500);
  const seconds = (performance.now() - startedMs) / 1000;
  expect(counted.looks - before).toBeGreaterThan(0);
  expect(counted.looks - before).toBeLessThanOrEqual(10 * seconds + 2);
});
