import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import type { Database } from '../../src/db/database.ts';
import { claimTrial } from '../../src/db/statements/claims.ts';
import { insertProcess, selectWorkCounts } from '../../src/db/statements/processes.ts';
import { lockStudy, selectOpenStudies } from '../../src/db/statements/studies.ts';
import { insertTrial } from '../../src/db/statements/trials.ts';
import { RowLocked } from '../../src/errors/errors.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { type Service, startAll, stopAll } from '../../src/runtime/service.ts';
import { createWorker } from '../../src/worker/create-worker.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews, eventually, insertStudy, studyEnd } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterEach(() => database.drop());

const steer = async (call: string): Promise<unknown> => {
  const [row] = await db.query<{ open: boolean }>(`select rafiki_${call} as open`);
  return row?.open;
};
const studyRow = async (id: number): Promise<Record<string, unknown> | undefined> => {
  const [row] = await db.query<Record<string, unknown>>(
    `select finish_requested, paused_at is not null as paused, extract(epoch from paused_for)::float8 as paused_for,
            max_time::text, closed from rafiki.study where id = $1`,
    [id],
  );
  return row;
};

describe('rafiki_finish, rafiki_pause, rafiki_resume and rafiki_extend', () => {
  test("are refused for other roles' studies and for ended ones", async () => {
    await createReviews(db, 20);
    const id = await insertStudy(db);
    const mallory = await database.as('mallory');
    for (const call of ['finish($1)', 'pause($1)', 'resume($1)', `extend($1, '1 min')`]) {
      const other = call.replace('$1', '4711');
      expect(await failureOf(db, `select rafiki_${other}`)).toMatchObject({ code: '42704' });
      expect(await failureOf(mallory, `select rafiki_${call.replace('$1', String(id))}`)).toMatchObject({
        code: '42704',
      });
    }
    await db.query(`update rafiki.study set state = 'cancelled', ended_at = now()`);
    for (const call of ['finish(ID)', 'pause(ID)', 'resume(ID)', `extend(ID, '1 min')`])
      expect(await steer(call.replace('ID', String(id)))).toBe(false);
  });

  test('are too late once the model is made: false, and nothing changes', async () => {
    await createReviews(db, 20);
    const id = await insertStudy(db);
    await db.query('update rafiki.study set version = 1');
    for (const call of ['cancel(ID)', 'finish(ID)', 'pause(ID)', 'resume(ID)', `extend(ID, '1 min')`])
      expect(await steer(call.replace('ID', String(id)))).toBe(false);
    expect(await studyRow(id)).toMatchObject({ finish_requested: false, paused: false, max_time: '00:02:00' });
  });

  test('a pause before the first trial is no time of the trials', async () => {
    await createReviews(db, 20);
    const id = await insertStudy(db);
    await db.query(`update rafiki.study set state = 'running', started_at = now() - interval '9 h'`);
    await steer(`pause(${id})`);
    await db.query(`update rafiki.study set paused_at = now() - interval '8 h'`);
    await steer(`resume(${id})`);
    await insertTrial(db, { studyId: id, number: 1, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
    const waited = (await selectOpenStudies(db))[0]!;
    expect(waited.waitedMs / 3_600_000).toBeCloseTo(1, 1);
    const process = await insertProcess(db, { kind: 'worker', host: 'h', pid: 1, threads: 1, version: '0' });
    const claimed = await claimTrial(db, process, { families: ['fasttext'] });
    expect(Math.abs((claimed?.study.secondsLeft ?? 0) - 120)).toBeLessThan(10);
    expect(Math.abs((await selectOpenStudies(db))[0]!.elapsedMs)).toBeLessThan(10_000);
  });

  test('set the request in the row; paused time does not count', async () => {
    await createReviews(db, 20);
    const id = await insertStudy(db);
    await db.query(`update rafiki.study set state = 'running', started_at = now() - interval '2 h'`);
    await insertTrial(db, { studyId: id, number: 1, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
    await db.query(`update rafiki.trial set started_at = now() - interval '2 h'`);
    expect(await steer(`pause(${id})`)).toBe(true);
    await db.query(`update rafiki.study set paused_at = now() - interval '1 hour', closed = 'enough'`);
    expect(await steer(`pause(${id})`)).toBe(true); // which it is
    const [before] = await db.query<{ at: Date }>('select paused_at as at from rafiki.study');
    expect(await steer(`extend(${id}, '3 min')`)).toBe(true);
    expect(await db.query('select paused_at as at from rafiki.study')).toEqual([before]); // the time until it ends does not begin anew
    expect(Math.abs((await selectOpenStudies(db))[0]!.elapsedMs - 3_600_000)).toBeLessThan(60_000);
    expect(await studyRow(id)).toMatchObject({ paused: true, max_time: '00:05:00', closed: null });
    expect(await steer(`resume(${id})`)).toBe(true);
    const resumed = await studyRow(id);
    expect(resumed).toMatchObject({ paused: false, finish_requested: false });
    expect(Math.abs(Number(resumed?.['paused_for']) - 3600)).toBeLessThan(60);
    expect(await steer(`resume(${id})`)).toBe(true);
    expect((await studyRow(id))?.['paused_for']).toBe(resumed?.['paused_for']);
    expect(await steer(`finish(${id})`)).toBe(true);
    expect(await studyRow(id)).toMatchObject({ finish_requested: true });
  });

  test('refuse a negative time, and a total of more than 30 days', async () => {
    await createReviews(db, 20);
    const id = await insertStudy(db);
    expect(await failureOf(db, `select rafiki_extend(${id}, '-1 min')`)).toMatchObject({
      code: '22023',
      hint: expect.stringContaining('rafiki_finish'),
    });
    expect(await failureOf(db, `select rafiki_extend(${id}, '30 days')`)).toMatchObject({
      code: '22023',
      detail: expect.stringContaining('00:02:00'),
    });
  });
});

test('trials that wait in a paused study are counted for no worker and no alert', async () => {
  await createReviews(db, 20);
  const id = await insertStudy(db);
  for (const number of [1, 2])
    await insertTrial(db, { studyId: id, number, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
  const file = path.resolve(import.meta.dirname, '../../deploy/kubernetes/overlays/many-workers/scaled-object.yaml');
  const scaled = parseAllDocuments(readFileSync(file, 'utf8')).find((each) => each.get('kind') === 'ScaledObject');
  const query = String(scaled?.getIn(['spec', 'triggers', 0, 'metadata', 'query']));
  const counted = async (): Promise<unknown[]> => {
    const [replicas = {}] = await db.query<Record<string, unknown>>(query);
    return [(await selectWorkCounts(db)).waitingTrials, ...Object.values(replicas).map(Number)];
  };
  expect(await counted()).toEqual([2, 2]);
  await steer(`pause(${id})`);
  expect(await counted()).toEqual([0, 0]);
});

test('what was planned for a study that its owner has changed since is not done', async () => {
  await createReviews(db, 20);
  const id = await insertStudy(db);
  const [seen] = await selectOpenStudies(db);
  await db.transaction((on) => lockStudy(on, seen!));
  await steer(`extend(${id}, '1 min')`);
  await expect(db.transaction((on) => lockStudy(on, seen!))).rejects.toBeInstanceOf(RowLocked);
  await db.transaction(async (on) => lockStudy(on, (await selectOpenStudies(on))[0]!));
});

describe('a running study', () => {
  /** So many epochs that it is still running when the test interferes. */
  const endless = {
    families: ['fasttext'],
    knobs: { epochs: 20, word_dropout: 0.6, learning_rate: 1e-3 },
    maxTrials: 1,
  };
  let cacheDir: string;
  let services: Service[];
  beforeEach(async () => {
    cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
    services = [
      createCoordinator({ database: database.service, logger }),
      createWorker({ database: database.service, threads: 1, cores: 2, cacheDir, logger }),
    ];
    await createReviews(db, 12_000);
    await startAll(services);
  });
  afterEach(async () => {
    await stopAll(services);
    rmSync(cacheDir, { recursive: true });
  });

  test('finishes immediately with the best epoch of the running trial', async () => {
    const id = await insertStudy(db, { ...endless, maxTime: '1 hour' });
    await eventually(db, 'select from rafiki.report where epoch >= 2 limit 1');
    expect(await steer(`finish(${id})`)).toBe(true);
    expect(await studyEnd(db, id)).toMatchObject({
      ...{ state: 'completed', version: 1 },
      notice: expect.stringContaining('Finished early, as asked.'),
    });
    const [trial] = await db.query<{ state: string; epoch: number; score: number; best: number }>(
      `select t.state, t.epoch, t.score, (select max(r.score) from rafiki.report r where r.trial_id = t.id) as best from rafiki.trial t`,
    );
    expect(trial).toMatchObject({ state: 'stopped', score: trial?.best });
    expect(trial?.epoch).toBeLessThan(20);
  });

  test('finishes with the best epoch of a trial that waits for a worker', async () => {
    const id = await insertStudy(db, { ...endless, maxTime: '1 hour' });
    await eventually(db, 'select from rafiki.report where epoch >= 2 limit 1');
    await steer(`pause(${id})`);
    await eventually(db, `select from rafiki.trial where state = 'waiting' and checkpoint_id is not null`);
    const [before] = await db.query<{ n: number; best: number }>(
      'select count(*)::int as n, max(score) as best from rafiki.report',
    );
    expect(await steer(`finish(${id})`)).toBe(true);
    expect(await studyEnd(db, id)).toMatchObject({ state: 'completed', version: 1 });
    const [trial] = await db.query<{ epoch: number; score: number }>('select epoch, score from rafiki.trial');
    expect(trial?.score).toBeGreaterThanOrEqual(before?.best ?? 1);
    expect(trial?.epoch).toBeLessThan(20);
  });

  test('gives its trial back while it is paused, and continues where it was', async () => {
    const id = await insertStudy(db, endless);
    await eventually(db, 'select from rafiki.report where epoch >= 2 limit 1');
    await steer(`pause(${id})`);
    await eventually(
      db,
      `select from rafiki.trial where state = 'waiting' and checkpoint_id is not null and attempt = 0`,
    );
    const [before] = await db.query<{ n: number }>('select count(*)::int as n from rafiki.report');
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // longer than a coordinator's tick: no worker claims it
    expect(await db.query('select state from rafiki.trial')).toEqual([{ state: 'waiting' }]);
    await steer(`resume(${id})`);
    expect(await studyEnd(db, id)).toMatchObject({ state: 'completed', version: 1 });
    const reports = await db.query<{ epoch: number; step: number }>(
      'select epoch, step from rafiki.report order by epoch',
    );
    expect(reports.length).toBeGreaterThan(before?.n ?? 0);
    expect(reports.every(({ epoch, step }) => step === epoch * reports[0]!.step)).toBe(true);
  });

  test.each([
    ['2 min', 'is ended by its worker, with its best epoch,', 'stopped'],
    ['6 min', 'is ended by its worker', 'cancelled'],
  ])('%s after max_time %s although its owner has locked the study', async (late, _, state) => {
    await db.query(`insert into reviews select 12000 * n + id, label, body from reviews, generate_series(1, 5) n`); // several heartbeats long
    const id = await insertStudy(db, { ...endless, maxTime: '1 hour' });
    await eventually(db, 'select from rafiki.report where epoch >= 2 limit 1');
    const owner = await db.connect(() => undefined);
    await owner.query('begin');
    await owner.query('select rafiki_pause($1)', [id]);
    await db.query(`update rafiki.trial set started_at = now() - interval '1 hour' - $1::interval`, [late]);
    const ended = await eventually(db, 'select state from rafiki.trial where ended_at is not null');
    expect(ended).toEqual({ state });
    await owner.query('rollback');
    await owner.close();
    await studyEnd(db, id);
  });
});
