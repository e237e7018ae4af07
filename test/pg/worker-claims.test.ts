import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ClaimedTrial, claimTrial } from '../../src/db/statements/claims.ts';
import { insertProcess } from '../../src/db/statements/processes.ts';
import { insertReport } from '../../src/db/statements/reports.ts';
import { selectOpenStudies } from '../../src/db/statements/studies.ts';
import { loseTrial, transitionTrial } from '../../src/db/statements/transitions.ts';
import { countOverdue, insertTrial, renewLease, setCheckpoint, setFitted } from '../../src/db/statements/trials.ts';
import { setOrigin, setPublished } from '../../src/db/statements/warm-starts.ts';
import { MAX_ATTEMPTS } from '../../src/domain/leases.ts';
import { InvalidState } from '../../src/errors/errors.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
let studyId: number;
const report = { epoch: 1, epochs: 4, step: 10, loss: 0.5, score: 0.75, metrics: { macro_f1: 0.7 }, seconds: 2 };

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createReviews(db, 10);
  studyId = await insertStudy(db);
});
afterEach(() => database.drop());

const trials = (count: number, family = 'fasttext'): Promise<unknown> =>
  Promise.all(
    Array.from({ length: count }, (_, i) =>
      insertTrial(db, { studyId, number: i + 1, family, knobs: { a: 1 }, seed: i, initialWeights: 'random' }),
    ),
  );
const worker = (device = 'cpu'): Promise<number> =>
  insertProcess(db, { kind: 'worker', host: 'h', pid: 1, threads: 1, device, version: '0' });
const stateOf = async (id: number): Promise<unknown> =>
  (await db.query('select state, attempt, process_id as "processId", score from rafiki.trial where id = $1', [id]))[0];

describe('claiming', () => {
  test('gives each trial to one worker, with many concurrent claims', async () => {
    await trials(8);
    const workers = await Promise.all(Array.from({ length: 12 }, () => worker()));
    const claimed = await Promise.all(workers.map((id) => claimTrial(db, id, { families: ['fasttext'] })));
    const ids = claimed.flatMap((trial) => trial?.trialId ?? []);
    expect(ids).toHaveLength(8);
    expect(new Set(ids).size).toBe(8);
  });

  test('skips trials of families that the worker does not have', async () => {
    await trials(1, 'from_the_future');
    expect(await claimTrial(db, await worker(), { families: ['fasttext'] })).toBeUndefined();
  });

  test('begins the study’s time with its first trial, however long it waited for a worker', async () => {
    await trials(2);
    await db.query(
      `update rafiki.study set state = 'running', started_at = now() - interval '1 h', max_time = '2 min'`,
    );
    const HOUR_MS = 3_600_000;
    const [waiting] = await selectOpenStudies(db);
    expect([waiting?.elapsedMs, (waiting?.waitedMs ?? 0) >= HOUR_MS]).toEqual([0, true]);
    const first = await claimTrial(db, await worker(), { families: ['fasttext'] });
    expect(first?.study.secondsLeft).toBe(120);
    await db.query(`update rafiki.trial set started_at = now() - interval '1 min' where id = $1`, [first?.trialId]);
    const [begun] = await selectOpenStudies(db);
    expect([begun?.waitedMs, (begun?.elapsedMs ?? 0) >= 60_000, (begun?.elapsedMs ?? 0) < HOUR_MS]).toEqual([
      0,
      true,
      true,
    ]);
    const second = await claimTrial(db, await worker(), { families: ['fasttext'] });
    expect(second?.study.secondsLeft).toBeLessThan(61);
  });

  test('does not begin it with trials that are given back before anything was trained', async () => {
    await trials(2);
    const context = { on: db, logger: silentLogger };
    const begun = (): Promise<unknown[]> =>
      db.query('select number, started_at is not null as begun from rafiki.trial order by number');
    const claim = async (): Promise<ClaimedTrial> =>
      (await claimTrial(db, await worker(), { families: ['fasttext'] }))!;
    const giveBack = (owner: ClaimedTrial): Promise<boolean> =>
      transitionTrial(context, { id: owner.trialId, from: 'running', event: 'lose-lease', owner });
    const both = [await claim(), await claim()];
    for (const trial of both) await giveBack(trial);
    expect(await begun()).toEqual([
      { number: 1, begun: false },
      { number: 2, begun: false },
    ]);
    const trained = await claim();
    await insertReport(db, trained, report);
    await giveBack(trained);
    expect(await begun()).toMatchObject([{ begun: true }, { begun: false }]);
    await db.query(`update rafiki.study set paused_for = '1 h'`); // counted since the first trial began
    for (const trial of [await claim(), await claim()]) await giveBack(trial);
    expect(await begun()).toMatchObject([{ begun: true }, { begun: true }]);
  });

  test('forgets what was reported after the checkpoint from which the trial goes on', async () => {
    await trials(1);
    const context = { on: db, logger: silentLogger };
    const params = new PostgresParamStore({ database: db });
    const next = async (): Promise<ClaimedTrial> => (await claimTrial(db, await worker(), { families: ['fasttext'] }))!;
    const scores = [0.5, 0.6, 0.9];
    const left = async (): Promise<unknown> => ({
      reports: (await db.query<{ epoch: number }>('select epoch from rafiki.report order by epoch')).map(
        ({ epoch }) => epoch,
      ),
      trial: (await db.query('select epoch, score from rafiki.trial'))[0],
    });
    const train = async (owner: ClaimedTrial, checkpointAfter: number): Promise<void> => {
      for (const [i, score] of scores.entries()) {
        await insertReport(db, owner, { ...report, epoch: i + 1, score });
        if (i + 1 === checkpointAfter)
          await setCheckpoint(db, owner, await params.save('checkpoint', { tensors: {}, meta: {} }));
      }
    };
    const first = await next();
    await train(first, 0);
    await loseTrial(context, { id: first.trialId, attempt: 0 }, 'gone');
    const second = await next();
    expect(await left()).toEqual({ reports: [], trial: { epoch: 0, score: null } });
    await train(second, 2);
    await loseTrial(context, { id: first.trialId, attempt: 1 }, 'gone');
    const third = await next();
    expect(await left()).toEqual({ reports: [1, 2], trial: { epoch: 2, score: 0.6 } });
    await transitionTrial(context, { id: third.trialId, from: 'running', event: 'lose-lease', owner: third });
    await next();
    expect(await left()).toEqual({ reports: [1, 2], trial: { epoch: 2, score: 0.6 } });
  });

  test('returns everything that the worker needs', async () => {
    await trials(1);
    const processId = await worker();
    expect(await claimTrial(db, processId, { families: ['fasttext'] })).toMatchObject({
      attempt: 0,
      processId,
      knobs: { a: 1 },
      checkpointId: null,
      incumbentId: null,
      study: { id: studyId, task: 'sentiment', validation: 0.25 },
    });
  });
});

test('a worker learns whether its trial is the first of a family, and how many workers there are', async () => {
  const families = ['one', 'two', 'three', 'three'];
  for (const [i, family] of families.entries()) {
    await insertTrial(db, { studyId, number: i + 1, family, knobs: {}, seed: i, initialWeights: 'random' });
  }
  const claim = (processId: number): Promise<object | undefined> => claimTrial(db, processId, { families });
  const first = await worker();
  const study = { maxSeconds: 120, secondsLeft: expect.closeTo(120, -1) };
  expect(await claim(first)).toMatchObject({ isFirst: true, workers: 1, study });
  const second = await worker();
  expect(await claim(second)).toMatchObject({ isFirst: true, workers: 2 });
  await worker();
  expect(await claim(first)).toMatchObject({ isFirst: true, workers: 3 });
  expect(await claim(second)).toMatchObject({ isFirst: false, workers: 3 });
});

test('those are the workers that could train the trial: none that is gone, or lacks the GPU', async () => {
  const families = ['one', 'two'];
  const insert = (family: string, number: number): Promise<unknown> =>
    insertTrial(db, { studyId, number, family, knobs: {}, seed: 1, initialWeights: 'random' });
  const claim = async (processId: number): Promise<object> => (await claimTrial(db, processId, { families }))!;
  for (const [i, family] of families.entries()) await insert(family, i + 1);
  const gone = await worker();
  await db.query(`update rafiki.process set seen_at = now() - interval '1 day' where id = $1`, [gone]);
  expect(await claim(await worker())).toMatchObject({ workers: 1 });
  await db.query(`update rafiki.study set gpu = true`);
  expect(await claim(await worker('cuda'))).toMatchObject({ workers: 1 });
});

describe('a worker that hung and lost its trial', () => {
  test('can no longer write, even after another attempt has ended', async () => {
    await trials(1);
    const stalled = (await claimTrial(db, await worker(), { families: ['fasttext'] }))!;
    const context = { on: db, logger: silentLogger };
    const id = stalled.trialId;
    await db.query(`update rafiki.trial set lease_until = now() - interval '1 s'`);
    const expired = await countOverdue(db);
    expect(expired).toEqual([{ id, attempt: 0, processId: stalled.processId, checks: 1, isAhead: false }]);
    await loseTrial(context, expired[0]!, 'gone');
    const successor = (await claimTrial(db, await worker(), { families: ['fasttext'] }))!;
    expect(successor.attempt).toBe(1);

    expect(await renewLease(db, stalled)).toBeUndefined();
    expect(await insertReport(db, stalled, report)).toBeUndefined();
    expect(await setCheckpoint(db, stalled, 1)).toBe(false);
    expect(
      await setFitted(db, stalled, { knobs: { a: 2 }, fullSeconds: 9, rung: 1, rungSize: 2, plannedSeconds: 3 }),
    ).toBe(false);
    expect(await setPublished(db, stalled, { paramsId: 1, score: 0.9 })).toBe(false);
    await setOrigin(db, stalled, { paramsId: 1, share: 0.5 });
    expect(await db.query('select warm_share from rafiki.trial')).toEqual([{ warm_share: null }]);
    expect(await loseTrial(context, { id, attempt: 0, owner: stalled }, 'it crashed, too late')).toBe(false);
    expect(await transitionTrial(context, { id, from: 'running', event: 'complete', owner: stalled })).toBe(false);
    expect(await db.query('select from rafiki.report')).toEqual([]);

    expect(
      await setFitted(db, successor, { knobs: { a: 3 }, fullSeconds: 7, rung: 1, rungSize: 2, plannedSeconds: 4 }),
    ).toBe(true);
    expect(await db.query('select knobs, full_seconds, rung, planned_seconds from rafiki.trial')).toEqual([
      { knobs: { a: 3 }, full_seconds: 7, rung: 1, planned_seconds: 4 },
    ]);
    expect(await insertReport(db, successor, report)).toEqual({ stop: false, publish: true });
    expect(await transitionTrial(context, { id, from: 'running', event: 'complete', owner: successor })).toBe(true);
    expect(await transitionTrial(context, { id, from: 'running', event: 'fail', owner: stalled })).toBe(false);
    expect(await stateOf(id)).toEqual({ state: 'completed', attempt: 1, processId: null, score: 0.75 });
  });

  test('is followed by a limited number of attempts', async () => {
    await trials(1);
    const context = { on: db, logger: silentLogger };
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const trial = (await claimTrial(db, await worker(), { families: ['fasttext'] }))!;
      expect(trial.attempt).toBe(attempt);
      await loseTrial(context, { id: trial.trialId, attempt }, 'the machine is on fire');
    }
    expect(await claimTrial(db, await worker(), { families: ['fasttext'] })).toBeUndefined();
    const [trial] = await db.query('select state, error from rafiki.trial');
    expect(trial).toMatchObject({ state: 'failed', error: { sqlstate: '58000', detail: 'the machine is on fire' } });
  });
});

test('attempts that store a checkpoint do not count: a long trial may lose many workers', async () => {
  await trials(1);
  const context = { on: db, logger: silentLogger };
  const params = new PostgresParamStore({ database: db });
  for (let attempt = 0; attempt < 3 * MAX_ATTEMPTS; attempt++) {
    const trial = (await claimTrial(db, await worker(), { families: ['fasttext'] }))!;
    expect(trial.attempt).toBe(attempt);
    const stored = attempt < 2 * MAX_ATTEMPTS;
    if (stored) await setCheckpoint(db, trial, await params.save('checkpoint', { tensors: {}, meta: { attempt } }));
    await loseTrial(context, { id: trial.trialId, attempt }, 'its machine was needed');
  }
  expect(await claimTrial(db, await worker(), { families: ['fasttext'] })).toBeUndefined();
});

test('a report sent twice counts once, and returns the stop request', async () => {
  await trials(1);
  const trial = (await claimTrial(db, await worker(), { families: ['fasttext'] }))!;
  await insertReport(db, trial, report);
  await db.query('update rafiki.trial set stop_requested = true');
  expect(await insertReport(db, trial, report)).toEqual({ stop: true, publish: true });
  expect(await insertReport(db, trial, { ...report, epoch: 2, score: 0.5 })).toEqual({ stop: true, publish: true });
  expect(await db.query('select epoch, score from rafiki.report order by epoch')).toEqual([
    { epoch: 1, score: 0.75 },
    { epoch: 2, score: 0.5 },
  ]);
  expect(await stateOf(trial.trialId)).toMatchObject({ score: 0.75 });
});

test('a transition that is not in the state table is never attempted', async () => {
  await trials(1);
  const trial = (await claimTrial(db, await worker(), { families: ['fasttext'] }))!;
  const context = { on: db, logger: silentLogger };
  const id = trial.trialId;
  await expect(transitionTrial(context, { id, from: 'completed', event: 'fail' })).rejects.toThrow(InvalidState);
  await expect(transitionTrial(context, { id, from: 'waiting', event: 'complete' })).rejects.toThrow(InvalidState);
  expect(await transitionTrial(context, { id, from: 'waiting', event: 'cancel' })).toBe(false); // allowed, but it is running
  expect(await stateOf(id)).toMatchObject({ state: 'running' });
});
