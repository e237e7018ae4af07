import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PATIENCE_EPOCHS } from '../../src/advisors/stop-rules/stagnation.ts';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import { MAX_ATTEMPTS } from '../../src/domain/leases.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { type Service, startAll, stopAll } from '../../src/runtime/service.ts';
import { createWorker } from '../../src/worker/create-worker.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, eventually, insertStudy, studyEnd } from '../support/studies.ts';

const logger = createLogger('test', 'silent');
/** So many epochs that the trial is still running when the test interferes. */
const endless = { families: ['fasttext'], knobs: { epochs: 20, word_dropout: 0.6, learning_rate: 1e-3 }, maxTrials: 1 };

let database: TestDatabase;
let db: TestDatabase['db'];
let cacheDir: string;
let services: Service[] = [];

const coordinator = (): Service => createCoordinator({ database: database.service, logger });
const worker = (checkpointEveryMs = 20_000): Service =>
  createWorker({ database: database.service, threads: 1, cores: 2, cacheDir, checkpointEveryMs, logger });

async function run(...started: Service[]): Promise<void> {
  services.push(...started);
  await startAll(started);
}

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
});

afterEach(async () => {
  await stopAll(services);
  services = [];
  await database.drop();
  rmSync(cacheDir, { recursive: true });
});

describe('a study', () => {
  test('tries every family, creates a model of the best trials and completes', async () => {
    await createReviews(db);
    await run(coordinator(), worker(), worker());
    const id = await insertStudy(db, { maxTrials: 3 });
    expect(await studyEnd(db, id)).toMatchObject({ state: 'completed', version: 1, error: null });
    const trials = await db.query<{ family: string }>('select family from rafiki.trial order by number');
    expect(
      trials
        .map(({ family }) => family)
        .slice(0, 3)
        .sort(),
    ).toEqual(['fasttext', 'linear_text', 'temporal_cnn']);
    expect(trials).toHaveLength(3);
    const [version] = await db.query(
      'select v.score, v.classes, d.state from rafiki.model_version v join rafiki.deployment d on d.version_id = v.id',
    );
    expect(version).toEqual({ score: 1, classes: ['neg', 'pos'], state: 'loading' });
    expect(readdirSync(cacheDir).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    const [kept] = await db.query<{ n: number }>(
      'select count(*)::int as n from rafiki.trial where params_id is not null',
    );
    expect(kept?.n).toBe((await db.query('select from rafiki.model_member')).length);
    expect(
      await db.query('select from rafiki.trial where predictions is not null or kept_answers is not null'),
    ).toEqual([]);
  });

  test('ends at target_score, and with deploy => false deploys nothing', async () => {
    await createReviews(db);
    const id = await insertStudy(db, { maxTrials: 50, deploy: false });
    await db.query('update rafiki.study set target_score = 0.9');
    await run(coordinator(), worker());
    const end = await studyEnd(db, id);
    expect(end).toMatchObject({ state: 'completed', version: 1 });
    expect(end.notice).toMatch(/not deployed, as requested/);
    expect(await db.query('select from rafiki.deployment')).toEqual([]);
    expect((await db.query('select from rafiki.trial')).length).toBeLessThan(10);
  });

  test("fails immediately with Postgres' error if its owner may no longer read the source", async () => {
    await createReviews(db);
    const mallory = `mallory_${(await db.query<{ name: string }>('select current_database() as name'))[0]!.name}`;
    await (await database.as('mallory')).query('select 1');
    const id = await insertStudy(db, { owner: mallory, maxTrials: 50 });
    await run(coordinator(), worker());
    expect(await studyEnd(db, id)).toMatchObject({ state: 'failed', error: { sqlstate: '42501' } });
    expect((await db.query(`select from rafiki.trial where state = 'failed'`)).length).toBe(1);
  });

  test('fails with the reason if the rows have only one label', async () => {
    await createReviews(db);
    await db.query(`update reviews set label = 'pos'`);
    const id = await insertStudy(db);
    await run(coordinator(), worker());
    expect(await studyEnd(db, id)).toMatchObject({ state: 'failed', error: { sqlstate: '22000' } });
  });

  test('is cancelled while a trial runs, and the worker is free for the next', async () => {
    await createReviews(db, 20_000);
    await run(coordinator(), worker());
    const id = await insertStudy(db, endless);
    await eventually(db, 'select from rafiki.report limit 1');
    await db.query('update rafiki.study set cancel_requested = true');
    expect(await studyEnd(db, id)).toMatchObject({ state: 'cancelled', version: null });
    expect(await db.query('select distinct state from rafiki.trial')).toEqual([{ state: 'cancelled' }]);
    const next = await insertStudy(db, { families: ['fasttext'], knobs: { epochs: 4 }, maxTrials: 1 });
    expect(await studyEnd(db, next)).toMatchObject({ state: 'completed' });
  });

  test('ends at max_time with its best model', async () => {
    await createReviews(db, 20_000);
    await run(coordinator(), worker());
    const id = await insertStudy(db, { ...endless, maxTime: '0.1 s' });
    expect(await studyEnd(db, id)).toMatchObject({ state: 'completed', version: 1 });
    const trials = await db.query<{ state: string; epoch: number }>('select state, epoch from rafiki.trial');
    expect(trials).toHaveLength(1);
    expect(['stopped', 'completed']).toContain(trials[0]?.state); // its schedule ends in time, or it is stopped
    expect(trials[0]?.epoch).toBeLessThanOrEqual(PATIENCE_EPOCHS); // so it was the time and not the advisor
  });
});

describe('a training process that dies', () => {
  afterEach(() => {
    delete process.env['RAFIKI_FAILPOINTS'];
  });

  test('costs an attempt; after the last one the trial fails, and the worker continues', async () => {
    await createReviews(db);
    process.env['RAFIKI_FAILPOINTS'] = 'training.report:2'; // each process is killed at its second report
    await run(coordinator(), worker());
    const id = await insertStudy(db, { families: ['fasttext'], maxTrials: 1 });
    expect(await studyEnd(db, id)).toMatchObject({
      state: 'failed',
      error: { sqlstate: '58000', detail: 'it was ended by SIGKILL' },
    });
    expect(await db.query('select state, attempt from rafiki.trial')).toEqual([
      { state: 'failed', attempt: MAX_ATTEMPTS - 1 },
    ]);
    delete process.env['RAFIKI_FAILPOINTS'];
    expect(await studyEnd(db, await insertStudy(db, { families: ['fasttext'], maxTrials: 1 }))).toMatchObject({
      state: 'completed',
    });
  });
});

describe('the next version of a model', () => {
  async function firstVersion(): Promise<void> {
    await createReviews(db, 400);
    await run(coordinator(), worker());
    await studyEnd(db, await insertStudy(db, { families: ['fasttext'], maxTrials: 1 }));
    await db.query(`update rafiki.deployment set state = 'ready'`); // as serving does
  }

  test('is deployed if it is as good on the same rows', async () => {
    await firstVersion();
    const id = await insertStudy(db, { families: ['fasttext'], maxTrials: 1 });
    expect(await studyEnd(db, id)).toMatchObject({ state: 'completed', version: 2 });
    expect(await db.query('select incumbent_score as score from rafiki.study where id = $1', [id])).toEqual([
      { score: 1 },
    ]);
    expect(await db.query('select state from rafiki.deployment order by id')).toEqual([
      { state: 'ready' },
      { state: 'loading' },
    ]);
  });

  test('is stored, not deployed, if it is worse', async () => {
    await firstVersion();
    const untrainable = { epochs: 1, learning_rate: 1e-9, word_dropout: 0.6 };
    const id = await insertStudy(db, { families: ['fasttext'], knobs: untrainable, maxTrials: 1 });
    const end = await studyEnd(db, id);
    expect(end).toMatchObject({ state: 'completed', version: 2 });
    expect(end.notice).toMatch(/on the same rows it is worse .* than the deployed one/);
    expect(await db.query('select state from rafiki.deployment')).toEqual([{ state: 'ready' }]);
  });
});

describe('a worker that is stopped', () => {
  test('leaves a checkpoint from which another one continues, and no attempt is counted', async () => {
    await createReviews(db, 12_000);
    const first = worker();
    await run(coordinator(), first);
    const id = await insertStudy(db, endless);
    await eventually(db, 'select from rafiki.report where epoch >= 2 limit 1');
    await first.stop();
    const [left] = await db.query<{ epoch: number }>(
      'select state, attempt, epoch, checkpoint_id is not null as checkpoint from rafiki.trial',
    );
    expect(left).toMatchObject({ state: 'waiting', attempt: 0, checkpoint: true });
    await run(worker());
    expect(await studyEnd(db, id)).toMatchObject({ state: 'completed' });
    const reports = await db.query<{ epoch: number; step: number }>(
      'select epoch, step from rafiki.report order by epoch',
    );
    expect(reports.map(({ epoch }) => epoch)).toEqual(reports.map((_, i) => i + 1));
    expect(reports.every(({ epoch, step }) => step === epoch * reports[0]!.step)).toBe(true);
  });
});

describe('several coordinators', () => {
  const leaders = 'select process_id from rafiki.leader where lease_until > now()';

  test('leave the lead to the next one when they stop', async () => {
    const first = coordinator();
    await run(first);
    await eventually(db, leaders);
    await first.stop();
    expect(await db.query(leaders)).toEqual([]);
  });

  test('have one leader; if its connection is cut, studies continue', async () => {
    await createReviews(db);
    await run(coordinator(), coordinator(), coordinator(), worker());
    await eventually(db, leaders);
    await db.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where usename = 'rafiki_service' and datname = current_database()`,
    );
    const id = await insertStudy(db, { families: ['fasttext'], maxTrials: 2 });
    expect(await studyEnd(db, id)).toMatchObject({ state: 'completed' });
    const numbers = await db.query<{ number: number }>('select number from rafiki.trial order by number');
    expect(numbers).toEqual([{ number: 1 }, { number: 2 }]);
    await eventually(db, leaders);
  });
});
