import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ClaimedTrial, claimTrial } from '../../src/db/statements/claims.ts';
import { insertProcess } from '../../src/db/statements/processes.ts';
import { insertReport } from '../../src/db/statements/reports.ts';
import { insertTrial, type RungPlace, selectTrials, setFitted } from '../../src/db/statements/trials.ts';
import { setOrigin, setPublished } from '../../src/db/statements/warm-starts.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
let studyId: number;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createReviews(db, 10);
  studyId = await insertStudy(db);
  await db.query('update rafiki.study set collaborative = false');
});
afterEach(() => database.drop());

const families = ['fasttext'];
const add = (number: number, rung: RungPlace): Promise<boolean> =>
  insertTrial(db, {
    studyId,
    number,
    family: 'fasttext',
    knobs: {},
    seed: 1,
    initialWeights: rung.continues === null ? 'random' : 'chosen',
    rung,
  });
async function claim(): Promise<ClaimedTrial> {
  const process = await insertProcess(db, { kind: 'worker', host: 'h', pid: 1, threads: 1, version: '0' });
  return (await claimTrial(db, process, { families }))!;
}
const report = (trial: ClaimedTrial, epoch: number) =>
  insertReport(db, trial, { epoch, epochs: 3, step: epoch, loss: 1, score: 0.5, metrics: {}, seconds: 1 });

test('the trial of a later rung starts from the last weights of the one that it continues', async () => {
  await add(1, { number: 1, size: 2, plannedSeconds: 60, continues: null });
  const first = await claim();
  expect(first).toMatchObject({ rung: 1, initialWeights: 'random', study: { workersPerTrial: null, maxTrials: 2 } });
  expect(first.plannedSeconds).toBeCloseTo(60, 1);
  await setFitted(db, first, { knobs: {}, fullSeconds: 100, rung: 1, rungSize: 3, plannedSeconds: 50 });
  expect(await report(first, 2)).toEqual({ stop: false, publish: false });
  expect(await report(first, 3)).toEqual({ stop: false, publish: true }); // its last epoch, though the study is no CoStudy
  const store = new PostgresParamStore({ database: database.service, graceMs: 0 });
  const tensors = { w: { dtype: 'float32' as const, shape: [1], data: Float32Array.of(7) } };
  const basis = Buffer.from('rows');
  const paramsId = await store.publish({ tensors, roles: { w: 'weight' } }, basis);
  await setPublished(db, first, { paramsId, score: 0.5 });

  await add(2, { number: 2, size: 1, plannedSeconds: null, continues: first.trialId });
  const second = await claim();
  expect(second).toMatchObject({ rung: 2, plannedSeconds: null, initialWeights: 'chosen' });
  const requested = [{ name: 'w', shape: [1], role: 'weight' }];
  const start = await store.warmStart(second.trialId, { requested, basis });
  expect(start.tensors['w']?.data).toEqual(Float32Array.of(7));
  await setOrigin(db, second, start.origin);
  expect((await selectTrials(db, studyId))[1]).toMatchObject({ rung: 2, parent: 1, warmShare: 1 });
});

test('another attempt has what is left of the time that was planned, however long it waited', async () => {
  await add(1, { number: 1, size: 2, plannedSeconds: 60, continues: null });
  const { trialId } = await claim();
  await db.query(
    `update rafiki.trial set state = 'waiting', process_id = null, lease_until = null, seconds = 20, started_at = now() - interval '1 h' where id = $1`,
    [trialId],
  );
  const again = await claim();
  expect(again.plannedSeconds).toBe(40);
  await setFitted(db, again, { knobs: {}, fullSeconds: 100, rung: 1, rungSize: null, plannedSeconds: 40 });
  expect((await selectTrials(db, studyId))[0]).toMatchObject({ rungSize: 2, plannedSeconds: 60 });
});

test('a refit starts where its trial started, with the weights that it had', async () => {
  const store = new PostgresParamStore({ database: database.service, graceMs: 0 });
  const basis = Buffer.from('rows');
  const publish = (value: number): Promise<number> =>
    store.publish(
      { tensors: { w: { dtype: 'float32', shape: [1], data: Float32Array.of(value) } }, roles: { w: 'weight' } },
      basis,
    );
  await add(1, { number: 1, size: 2, plannedSeconds: 60, continues: null });
  const first = await claim();
  await setPublished(db, first, { paramsId: await publish(7), score: 0.5 });
  await add(2, { number: 2, size: 1, plannedSeconds: null, continues: first.trialId });
  const second = await claim();
  await db.query(
    `update rafiki.trial set warm_share = 1, score = 0.8, seconds = 30, epoch = 6, validation_hash = '\\xab' where id = $1`,
    [second.trialId],
  );
  await insertReport(db, second, { epoch: 6, epochs: 9, step: 6, loss: 1, score: 0.8, metrics: {}, seconds: 30 });
  await setPublished(db, first, { paramsId: await publish(8), score: 0.6 }); // what it started from is not published any more
  await db.query(`update rafiki.study set refit = true, state = 'running'`);
  await store.collectGarbage();

  const refit = { studyId, number: 3, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'chosen' as const };
  await insertTrial(db, { ...refit, refits: second.trialId });
  const third = await claim();
  expect(third).toMatchObject({ initialWeights: 'chosen', rung: null });
  expect(third.refit).toEqual({
    score: 0.8,
    scores: [0.8],
    epochs: 6,
    seconds: 30,
    epochSeconds: 5,
    warmShare: 1,
    validationHash: 'ab',
  });
  const requested = [{ name: 'w', shape: [1], role: 'weight' }];
  const { tensors } = await store.warmStart(third.trialId, { requested, basis });
  expect(tensors['w']?.data).toEqual(Float32Array.of(7));
});
