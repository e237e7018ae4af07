import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import { type ClaimedTrial, claimTrial } from '../../src/db/statements/claims.ts';
import { insertProcess } from '../../src/db/statements/processes.ts';
import { insertReport, type ReportDecision } from '../../src/db/statements/reports.ts';
import { loseTrial } from '../../src/db/statements/transitions.ts';
import { insertTrial } from '../../src/db/statements/trials.ts';
import { selectPublished, setPublished, setWarmStartSources } from '../../src/db/statements/warm-starts.ts';
import type { PublishedWeights } from '../../src/domain/warm-start.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { type Service, startAll, stopAll } from '../../src/runtime/service.ts';
import { createWorker } from '../../src/worker/create-worker.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy, studyEnd } from '../support/studies.ts';

const logger = createLogger('test', 'silent');
/** Knobs that decide the vocabulary and the shapes, so that all trials have the same tensors. */
const sameTensors = { word_ngrams: 1, min_texts: 1, max_tokens: 128, dim: 16, epochs: 4, batch: 16 };

let database: TestDatabase;
let db: TestDatabase['db'];
let cacheDir: string;
let services: Service[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
  await createReviews(db);
});

afterEach(async () => {
  await stopAll(services);
  services = [];
  await database.drop();
  rmSync(cacheDir, { recursive: true });
});

async function run(): Promise<void> {
  const options = { database: database.service, logger };
  const started = [createCoordinator(options), createWorker({ ...options, threads: 1, cores: 2, cacheDir })];
  services.push(...started);
  await startAll(started);
}

interface Started {
  start: string;
  parent: number | null;
  warm: number | null;
}

const starts = (): Promise<Started[]> =>
  db.query(
    `select t.start, p.number as parent, t.warm_share as warm from rafiki.trial t left join rafiki.trial p on p.id = t.parent_id
     order by t.number`,
  );
const firstLoss = async (trial: number): Promise<number> =>
  (
    await db.query<{ loss: number }>(
      'select r.loss from rafiki.report r join rafiki.trial t on t.id = r.trial_id where t.number = $1 and r.epoch = 1',
      [trial],
    )
  )[0]!.loss;

describe('a collaborative study', () => {
  test('starts a trial from the weights of the best earlier one, and records it', async () => {
    const id = await insertStudy(db, { families: ['fasttext'], knobs: sameTensors, maxTrials: 2, alpha: 0 });
    await run();
    expect(await studyEnd(db, id)).toMatchObject({ state: 'completed', error: null });
    expect(await starts()).toEqual([
      { start: 'chosen', parent: null, warm: 0 },
      { start: 'chosen', parent: 1, warm: 1 },
    ]);
    expect(await firstLoss(2)).toBeLessThan(await firstLoss(1));
    expect(await db.query('select from rafiki.trial where published_id is not null')).toEqual([]); // dropped at the end
  });

  test('copies no table whose rows have another meaning', async () => {
    const knobs = { ...sameTensors, word_ngrams: { list: [1, 2] } };
    const id = await insertStudy(db, { families: ['fasttext'], knobs, maxTrials: 4, alpha: 0 });
    await run();
    expect(await studyEnd(db, id)).toMatchObject({ state: 'completed', error: null });
    const trials = await db.query<{ ngrams: string; warm: number }>(
      `select knobs ->> 'word_ngrams' as ngrams, warm_share as warm from rafiki.trial order by number`,
    );
    const [parent, ...others] = trials; // it memorises these rows, so no other trial publishes
    expect(new Set(trials.map(({ ngrams }) => ngrams)).size).toBe(2);
    for (const { ngrams, warm } of others) {
      if (ngrams === parent?.ngrams) expect(warm).toBe(1);
      else expect(warm).toBeLessThan(0.1); // the output layer without the table
    }
  });

  test('starts every trial from random weights if α is 1', async () => {
    const id = await insertStudy(db, { families: ['fasttext'], knobs: sameTensors, maxTrials: 2, alpha: 1 });
    await run();
    await studyEnd(db, id);
    expect(await starts()).toEqual(Array(2).fill({ start: 'random', parent: null, warm: 0 }));
  });
});

describe('published weights', () => {
  const params = (): PostgresParamStore => new PostgresParamStore({ database: database.service, graceMs: 0 });
  const basis = Buffer.from('the same rows');
  const requested = [{ name: 'w', shape: [2], role: 'weight' }];
  const weights = (value: number): PublishedWeights => ({
    tensors: { w: { dtype: 'float32', shape: [2], data: Float32Array.of(value, value) } },
    roles: { w: 'weight' },
  });
  const given = async (
    trial: ClaimedTrial,
    rows: Buffer = basis,
  ): Promise<{ value: number | undefined; share: number }> => {
    const { tensors, origin } = await params().warmStart(trial.trialId, { requested, basis: rows });
    return { value: Number(tensors['w']?.data[0]), share: origin.share };
  };

  /** So many claimed trials of a study, with a process of its own each. */
  async function claimed(count: number): Promise<ClaimedTrial[]> {
    const studyId = await insertStudy(db, { maxTrials: count });
    const trials: ClaimedTrial[] = [];
    for (let number = 1; number <= count; number++) {
      await insertTrial(db, { studyId, number, family: 'fasttext', knobs: {}, seed: number, initialWeights: 'open' });
      const worker = { kind: 'worker', host: 'h', pid: number, threads: 1, version: '0' } as const;
      trials.push((await claimTrial(db, await insertProcess(db, worker), { families: ['fasttext'] }))!);
    }
    return trials;
  }

  async function publish(trial: ClaimedTrial, value: number): Promise<void> {
    const paramsId = await params().publish(weights(value), basis);
    expect(await setPublished(db, trial, { paramsId, score: value })).toBe(true);
  }

  test('are chosen once: a later attempt starts from the same ones, whatever was published meanwhile', async () => {
    const [first, second, third] = (await claimed(3)) as [ClaimedTrial, ClaimedTrial, ClaimedTrial];
    await publish(first, 0.5);
    await setWarmStartSources(db, third, await selectPublished(db, third.trialId));
    expect(await given(third)).toEqual({ value: 0.5, share: 1 });
    await loseTrial({ on: db, logger }, { id: third.trialId, attempt: 0 }, 'killed');
    await publish(first, 0.6);
    await publish(second, 0.9);
    await params().collectGarbage(); // must not take what the trial may still need
    const again = (await claimTrial(db, third.processId, { families: ['fasttext'] }))!;
    expect(again.initialWeights).toBe('chosen');
    await setWarmStartSources(db, again, await selectPublished(db, again.trialId));
    expect(await given(again)).toEqual({ value: 0.5, share: 1 });
  });

  test('of other rows are refused: they would make the trial incomparable', async () => {
    const [first, second] = (await claimed(2)) as [ClaimedTrial, ClaimedTrial];
    await publish(first, 0.5);
    await setWarmStartSources(db, second, await selectPublished(db, second.trialId));
    expect(await given(second, Buffer.from('other rows'))).toEqual({ value: Number.NaN, share: 0 });
  });

  test('are requested if a report exceeds the best of the family by δ, or by any gain at the end', async () => {
    const [first, second] = (await claimed(2)) as [ClaimedTrial, ClaimedTrial];
    const report = (trial: ClaimedTrial, epoch: number, score: number): Promise<ReportDecision | undefined> =>
      insertReport(db, trial, { epoch, epochs: 3, step: epoch, loss: 1, score, metrics: {}, seconds: 1 });
    expect(await report(first, 1, 0.5)).toEqual({ stop: false, publish: true });
    await publish(first, 0.5);
    expect(await report(second, 1, 0.504)).toEqual({ stop: false, publish: false });
    expect(await report(second, 2, 0.506)).toEqual({ stop: false, publish: true });
    expect(await report(second, 3, 0.504)).toEqual({ stop: false, publish: true });
    expect(await report(second, 3, 0.5)).toEqual({ stop: false, publish: false });
  });

  test('without references are collected', async () => {
    const [first] = (await claimed(1)) as [ClaimedTrial];
    await publish(first, 0.5);
    await publish(first, 0.6);
    await params().collectGarbage();
    expect(
      await db.query('select p.id from rafiki.params p join rafiki.trial t on t.published_id = p.id'),
    ).toHaveLength(1);
    expect(await db.query('select from rafiki.params')).toHaveLength(1);
  });
});

test('a study without collaboration publishes nothing', async () => {
  const id = await insertStudy(db, { families: ['fasttext'], knobs: sameTensors, maxTrials: 2, alpha: 0 });
  await db.query('update rafiki.study set collaborative = false');
  await run();
  await studyEnd(db, id);
  expect(await starts()).toEqual(Array(2).fill({ start: 'random', parent: null, warm: null }));
  expect(await db.query(`select from rafiki.params where kind = 'weights'`)).toEqual([]);
});
