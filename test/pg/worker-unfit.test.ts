import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { insertTrial } from '../../src/db/statements/trials.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Service } from '../../src/runtime/service.ts';
import { createWorker } from '../../src/worker/create-worker.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { eventually } from '../support/rafiki-up.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
let cacheDir: string;
const workers: Service[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  cacheDir = path.join(mkdtempSync(path.join(tmpdir(), 'rafiki-unfit-')), 'cache');
  await createReviews(db, 40);
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.stop();
  await database.drop();
  rmSync(path.dirname(cacheDir), { recursive: true });
});

function worker(dir: string): Service {
  const made = createWorker({ database: database.service, threads: 1, cores: 1, cacheDir: dir, logger: silentLogger });
  workers.push(made);
  return made;
}

async function addTrials(count: number): Promise<void> {
  const studyId = await insertStudy(db, { maxTrials: count, knobs: { epochs: 1 } });
  await db.query(`update rafiki.study set state = 'running', started_at = now()`);
  const trial = { studyId, family: 'fasttext', knobs: { epochs: 1 }, initialWeights: 'random' } as const;
  for (let number = 1; number <= count; number++) await insertTrial(db, { ...trial, number, seed: number });
}

interface TrialEnd {
  state: string;
  attempt: number;
  error: { sqlstate: string } | null;
}

const trials = (): Promise<TrialEnd[]> => db.query('select state, attempt, error from rafiki.trial order by number');

/** The trials, once all wait, and one has been tried. */
const returned = (): Promise<TrialEnd[]> =>
  eventually(async () => {
    const rows = await trials();
    const isReturned = rows.some(({ error }) => error !== null) && rows.every(({ state }) => state === 'waiting');
    return isReturned ? rows : undefined;
  });

const completed = (): Promise<true> =>
  eventually(async () => ((await trials()).every(({ state }) => state === 'completed') ? true : undefined), 50_000);

test('a worker does not start if its cache cannot be used', async () => {
  writeFileSync(cacheDir, '');
  await expect(worker(cacheDir).start()).rejects.toMatchObject({ sqlstate: '58000' });
  expect(await db.query('select from rafiki.process')).toEqual([]);
});

test('a worker whose cache fails later gives trials back without counting an attempt, and leaves them to others', async () => {
  await worker(cacheDir).start();
  rmSync(cacheDir, { recursive: true });
  writeFileSync(cacheDir, '');
  await addTrials(3);
  for (const { attempt } of await returned()) expect(attempt).toBe(0);
  await worker(`${cacheDir}-other`).start();
  await completed();
  for (const { attempt, error } of await trials()) expect([attempt, error]).toEqual([0, null]);
});

/** A database that does not say how many workers a machine has. */
class UncountedDatabase extends Database {
  asked = 0;

  override query<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]> {
    if (!sql.includes('select count(*)::int as workers')) return super.query<Row>(sql, values);
    this.asked++;
    return Promise.reject(new Error('the connection was lost'));
  }
}

test('a worker that does not know its share of the machine claims no trial that it would not train', async () => {
  await addTrials(1);
  const uncounted = new UncountedDatabase({ url: database.service.url, application: 'test', logger: silentLogger });
  const made = createWorker({ database: uncounted, threads: 'shared', cores: 2, cacheDir, logger: silentLogger });
  await made.start();
  try {
    await expect.poll(() => uncounted.asked).toBeGreaterThan(0);
    expect(await db.query('select state from rafiki.trial')).toEqual([{ state: 'waiting' }]);
  } finally {
    await made.stop();
    await uncounted.stop();
  }
});

test('one whose training processes cannot start does so, too, until they can', async () => {
  const { NODE_OPTIONS: before } = process.env;
  await worker(cacheDir).start();
  process.env['NODE_OPTIONS'] = '--require /nowhere/broken.cjs';
  try {
    await addTrials(1);
    const [trial] = await returned();
    expect(trial).toMatchObject({
      attempt: 0,
      error: { sqlstate: '58000', message: 'the training process could not start' },
    });
  } finally {
    if (before === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = before;
  }
  await completed();
  expect(await trials()).toEqual([{ state: 'completed', attempt: 0, error: null }]);
});
