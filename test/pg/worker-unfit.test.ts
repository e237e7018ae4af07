import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
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

test('a worker does not start if its cache cannot be used', async () => {
  writeFileSync(cacheDir, '');
  await expect(worker(cacheDir).start()).rejects.toMatchObject({ sqlstate: '58000' });
  expect(await db.query('select from rafiki.process')).toEqual([]);
});

test('a worker whose cache fails later gives trials back without counting an attempt, and leaves them to others', async () => {
  await worker(cacheDir).start();
  rmSync(cacheDir, { recursive: true });
  writeFileSync(cacheDir, '');
  const studyId = await insertStudy(db, { maxTrials: 3, knobs: { epochs: 1 } });
  await db.query(`update rafiki.study set state = 'running', started_at = now()`);
  for (const number of [1, 2, 3])
    await insertTrial(db, {
      studyId,
      number,
      family: 'fasttext',
      knobs: { epochs: 1 },
      seed: number,
      initialWeights: 'random',
    });
  const trials = (): Promise<{ state: string; attempt: number; error: { sqlstate: string } | null }[]> =>
    db.query('select state, attempt, error from rafiki.trial order by number');
  const returned = await eventually(async () => {
    const rows = await trials();
    const isReturned = rows.some(({ error }) => error !== null) && rows.every(({ state }) => state === 'waiting');
    return isReturned ? rows : undefined;
  });
  for (const { attempt } of returned) expect(attempt).toBe(0);
  await worker(`${cacheDir}-other`).start();
  await eventually(
    async () => ((await trials()).every(({ state }) => state === 'completed') ? true : undefined),
    50_000,
  );
  for (const { attempt, error } of await trials()) expect([attempt, error]).toEqual([0, null]);
});
