import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ClaimedTrial, claimTrial } from '../../src/db/statements/claims.ts';
import {
  insertChange,
  insertRound,
  isTrialWaiting,
  type JoinedTrial,
  joinTrial,
  leaveTrial,
  renewJoining,
  selectChanges,
  selectRound,
  selectWaitingWorkers,
  setWaiting,
} from '../../src/db/statements/joint-training.ts';
import { dropStudyParams } from '../../src/db/statements/params.ts';
import { insertProcess } from '../../src/db/statements/processes.ts';
import { insertReport } from '../../src/db/statements/reports.ts';
import { loseTrial, transitionTrial } from '../../src/db/statements/transitions.ts';
import { insertTrial, setFitted } from '../../src/db/statements/trials.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { loadChange, loadWeights, saveChange, saveWeights } from '../../src/worker/round-params.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
let studyId: number;
let params: PostgresParamStore;
let owner: ClaimedTrial;

const families = ['fasttext'];
const worker = (host = 'here'): Promise<number> =>
  insertProcess(db, { kind: 'worker', host, pid: 1, threads: 1, version: '0' });
const addTrial = (number: number): Promise<boolean> =>
  insertTrial(db, { studyId, number, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
const allow = (workers: number | null): Promise<unknown> =>
  db.query(`update rafiki.study set state = 'running', workers_per_trial = $1`, [workers]);
const report = (epoch: number, seconds: number): Promise<unknown> =>
  insertReport(db, owner, { epoch, epochs: 10, step: epoch, loss: 1, score: 0.5, metrics: {}, seconds });
const uses = Uint16Array.of(3);
const halves = (...values: number[]): Promise<number> => saveChange(params, { halves: Uint16Array.from(values), uses });
const plan = (number: number, seats = 2) => ({
  ...{ number, epoch: 0, epochs: 10, step: 0, batches: 8, basis: 'rows' },
  seats,
});

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  params = new PostgresParamStore({ database: db, graceMs: 0 });
  await createReviews(db, 10);
  studyId = await insertStudy(db);
  await addTrial(1);
  owner = (await claimTrial(db, await worker(), { families }))!;
  await setFitted(db, owner, { knobs: {}, fullSeconds: 0, rung: null, rungSize: null, plannedSeconds: null });
});
afterEach(() => database.drop());

async function join(): Promise<JoinedTrial> {
  const joined = await joinTrial(db, await worker(), { families });
  expect(joined).toBeDefined();
  return joined!;
}

describe('joining a running trial', () => {
  test('is for as many workers as the study has for a trial, its owner included', async () => {
    await allow(2);
    expect(await join()).toMatchObject({
      trialId: owner.trialId,
      attempt: 0,
      family: 'fasttext',
      study: { id: studyId },
    });
    expect(await joinTrial(db, await worker(), { families })).toBeUndefined();
  });

  test('is for one more worker where two join at once, and each has a shard of its own', async () => {
    await allow(2);
    const [first, second] = [await worker(), await worker()];
    await db.transaction(async (tx) => {
      const inside = { transaction: <T>(work: (on: typeof tx) => Promise<T>): Promise<T> => work(tx) };
      expect(await joinTrial(inside, first, { families })).toMatchObject({ shard: 1 });
      expect(await joinTrial(db, second, { families })).toBeUndefined(); // the first is not seen yet
    });
    expect(await joinTrial(db, second, { families })).toBeUndefined();
    await allow(3);
    expect(await joinTrial(db, second, { families })).toMatchObject({ shard: 2 });
  });

  test('in a study without a number is for trials that take another half minute, from other machines', async () => {
    await allow(null);
    const elsewhere = async (): Promise<JoinedTrial | undefined> => joinTrial(db, await worker('there'), { families });
    await report(1, 3); // 27 s left
    expect(await elsewhere()).toBeUndefined();
    await report(2, 10); // 40 s left
    expect(await joinTrial(db, await worker(), { families })).toBeUndefined();
    expect(await elsewhere()).toMatchObject({ trialId: owner.trialId });
  });

  test('waits until the trial has been fitted to the time: its network may still change', async () => {
    await allow(2);
    await db.query('update rafiki.trial set full_seconds = null');
    expect(await joinTrial(db, await worker(), { families })).toBeUndefined();
  });

  test('is not possible for its own worker, with families that the worker lacks, in a study for one worker a trial', async () => {
    await allow(2);
    expect(await joinTrial(db, owner.processId, { families })).toBeUndefined();
    expect(await joinTrial(db, await worker(), { families: ['vgg'] })).toBeUndefined();
    expect(await joinTrial(db, await worker(), { families, avoided: [owner.trialId] })).toBeUndefined();
    await allow(1);
    expect(await joinTrial(db, await worker(), { families })).toBeUndefined();
  });

  test('leaves out all trials that the worker could not train, not only the last', async () => {
    await addTrial(2);
    const second = (await claimTrial(db, await worker(), { families }))!;
    await setFitted(db, second, { knobs: {}, fullSeconds: 0, rung: null, rungSize: null, plannedSeconds: null });
    await allow(2);
    const avoided = [owner.trialId, second.trialId];
    const other = await worker();
    expect(await joinTrial(db, other, { families, avoided: avoided.slice(0, 1) })).toMatchObject({
      trialId: second.trialId,
    });
    expect(await joinTrial(db, other, { families, avoided })).toBeUndefined();
  });

  test('ends with the attempt, with a pause, and when the trial is to stop', async () => {
    await allow(4);
    const joined = await join();
    expect(await renewJoining(db, joined)).toBe(true);
    await db.query('update rafiki.study set paused_at = now()');
    expect(await renewJoining(db, joined)).toBe(false);
    await db.query('update rafiki.study set paused_at = null');
    expect(await renewJoining(db, joined)).toBe(true);
    await loseTrial({ on: db, logger: silentLogger }, { id: owner.trialId, attempt: 0 }, 'test');
    await claimTrial(db, await worker(), { families });
    expect(await renewJoining(db, joined)).toBe(false);
  });

  test('ends for a trial that waits', async () => {
    await allow(2);
    const { processId } = await join();
    expect(await isTrialWaiting(db, processId, families)).toBe(false);
    await addTrial(2);
    expect(await isTrialWaiting(db, processId, families)).toBe(true);
    expect(await isTrialWaiting(db, processId, ['vgg'])).toBe(false);
  });

  test('gives each worker the first shard that no other has', async () => {
    await allow(4);
    const joineds = [await join(), await join(), await join()];
    expect(joineds.map(({ shard }) => shard)).toEqual([1, 2, 3]);
    await leaveTrial(db, joineds[1]!);
    expect(await join()).toMatchObject({ shard: 2, study: { workersPerTrial: 4 } });
  });

  test('makes room when a worker leaves, or is not heard of', async () => {
    await allow(2);
    await leaveTrial(db, await join());
    await join();
    await db.query(`update rafiki.trial_worker set lease_until = now() - interval '1 s'`);
    await join();
  });
});

describe('a round', () => {
  test('is offered to the workers that it names, by seat, once', async () => {
    await allow(3);
    const joineds = [await join(), await join()];
    for (const joined of joineds) await setWaiting(db, joined, { has: null, after: 0 });
    const waiting = await selectWaitingWorkers(db, owner);
    expect(waiting).toEqual(joineds.map(({ processId }) => ({ processId, has: null, after: 0 })));
    const processIds = joineds.map(({ processId }) => processId);
    expect(await insertRound(db, owner, { plan: plan(1, 3), processIds, paramsId: await halves(1), last: null })).toBe(
      true,
    );
    const offers = await Promise.all(joineds.map((joined) => selectRound(db, joined, 0)));
    expect(offers.map((offer) => offer?.seat)).toEqual([1, 2]);
    expect(offers[0]?.plan).toEqual(plan(1, 3));
    expect(await selectRound(db, joineds[0]!, 1)).toBeUndefined();
  });

  test('is begun by the owner alone', async () => {
    const paramsId = await halves(1);
    const other = { ...owner, attempt: 1 };
    expect(await insertRound(db, other, { plan: plan(1), processIds: [], paramsId, last: null })).toBe(false);
  });

  test('collects what arrives, and the worker is ready for the next', async () => {
    await allow(2);
    const joined = await join();
    await setWaiting(db, joined, { has: null, after: 0 });
    const round = { plan: plan(1), processIds: [joined.processId], paramsId: await halves(1), last: null };
    await insertRound(db, owner, round);
    const change = { number: 1, rows: 256, seconds: 2, paramsId: await halves(7, 8) };
    await insertChange(db, joined, change);
    await insertChange(db, joined, change); // its reply may be lost
    const [stored, ...more] = await selectChanges(db, owner, 1);
    expect([stored?.rows, stored?.seconds, more]).toEqual([256, 2, []]);
    expect(await loadChange(params, stored!.paramsId)).toEqual({ halves: Uint16Array.of(7, 8), uses });
    expect(await selectWaitingWorkers(db, owner)).toEqual([{ processId: joined.processId, has: 1, after: 1 }]);
  });

  test('that its leader deletes while a worker stores its change is over: the worker waits for the next', async () => {
    await allow(2);
    const joined = await join();
    const round = { plan: plan(1), processIds: [joined.processId], paramsId: await halves(1), last: null };
    await insertRound(db, owner, round);
    const paramsId = await halves(7, 8);
    const leader = await db.connect(() => undefined);
    await leader.query('begin');
    await insertRound(leader, owner, { ...round, plan: plan(3) });
    const stored = insertChange(db, joined, { number: 1, rows: 256, seconds: 2, paramsId });
    const blocked = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await expect.poll(() => db.query(blocked)).toHaveLength(1);
    await leader.query('commit');
    await leader.close();
    await stored;
    expect(await selectChanges(db, owner, 1)).toEqual([]);
    expect(await selectWaitingWorkers(db, owner)).toEqual([{ processId: joined.processId, has: 1, after: 1 }]);
  });

  test('of a forest carries trees, and sums there and back, to the bit', async () => {
    const sums = Float64Array.of(2 ** 52, -3, 0);
    const offers = [
      { kind: 'trees', trees: Float64Array.of(1, -0.5, 2 ** 31) } as const,
      { kind: 'sums', sums } as const,
    ];
    for (const offer of offers) expect(await loadWeights(params, await saveWeights(params, offer))).toEqual(offer);
    expect(await loadChange(params, await saveChange(params, { sums }))).toEqual({ sums });
  });

  test('is seen by a worker that has no seat in it, so that it can say that it waits for a later one', async () => {
    await allow(2);
    const joined = await join();
    await insertRound(db, owner, { plan: plan(3), processIds: [], paramsId: null, last: null });
    expect(await selectRound(db, joined, 1)).toEqual({ plan: plan(3), seat: null, paramsId: null });
    await setWaiting(db, joined, { has: 1, after: 3 });
    expect(await selectWaitingWorkers(db, owner)).toEqual([{ processId: joined.processId, has: 1, after: 3 }]);
  });

  test('of this machine is shown with the next heartbeat of each worker', async () => {
    await allow(2);
    const joined = await join();
    await insertRound(db, owner, {
      ...{ plan: plan(9), processIds: [joined.processId], paramsId: null },
      last: { rowsPerSecond: 150, exchangeShare: 0.04 },
    });
    expect(await renewJoining(db, joined, { round: 8, rowsPerSecond: 120 })).toBe(true);
    expect(await selectWaitingWorkers(db, owner)).toEqual([]); // not here
    const shownSql = 'select role, rounds, rows_per_s::float8 as speed, exchange::float8 from rafiki.trial_workers';
    const shown = await db.query(shownSql);
    const leads = { role: 'leads', rounds: 8, speed: 150, exchange: 0.04 };
    expect(shown).toEqual([leads, { role: 'trains', rounds: 8, speed: 120, exchange: null }]);
    await db.query('update rafiki.trial_worker set round = null, rows_per_second = null'); // before its first round
    expect(await db.query(shownSql)).toEqual([leads, { role: 'joins', rounds: null, speed: null, exchange: null }]);
  });

  test('and its workers are seen by the owner of the study alone', async () => {
    await allow(2);
    await join();
    await insertRound(db, owner, { plan: plan(1), processIds: [], paramsId: null, last: null });
    const seen =
      'select (select count(*) from rafiki.trial_round)::int as rounds, count(*)::int as workers from rafiki.trial_worker';
    const [alice, stranger] = [await database.as('alice'), await database.as('mallory')];
    const [{ name } = { name: '' }] = await alice.query<{ name: string }>('select current_user::text as name');
    await db.query('update rafiki.study set owner = $1::regrole', [name]);
    expect(await alice.query(seen)).toEqual([{ rounds: 1, workers: 1 }]);
    expect(await stranger.query(seen)).toEqual([{ rounds: 0, workers: 0 }]);
  });

  test('of another attempt takes nothing from a worker of this one', async () => {
    await allow(2);
    const joined = await join();
    await insertRound(db, owner, {
      plan: plan(1),
      processIds: [joined.processId],
      paramsId: await halves(1),
      last: null,
    });
    const late = { ...joined, attempt: 7 };
    await insertChange(db, late, { number: 1, rows: 256, seconds: 2, paramsId: await halves(2) });
    expect(await selectChanges(db, owner, 1)).toEqual([]);
  });

  test('has the number after the last one before a pause, for which its workers wait', async () => {
    await allow(2);
    expect(owner.lastRound).toBe(0);
    const joined = await join();
    for (const number of [39, 40])
      await insertRound(db, owner, {
        plan: plan(number),
        processIds: [joined.processId],
        paramsId: await halves(1),
        last: null,
      });
    await setWaiting(db, joined, { has: 40, after: 40 });
    const change = { id: owner.trialId, from: 'running', event: 'lose-lease', owner } as const;
    await transitionTrial({ on: db, logger: silentLogger }, change); // gives it back
    const again = (await claimTrial(db, await worker(), { families }))!;
    expect(again).toMatchObject({ attempt: owner.attempt, lastRound: 40 });
    const next = plan(again.lastRound + 1);
    await insertRound(db, again, { plan: next, processIds: [joined.processId], paramsId: await halves(2), last: null });
    expect(await selectRound(db, joined, 40)).toMatchObject({ plan: next, seat: 1 });
    await loseTrial({ on: db, logger: silentLogger }, { id: owner.trialId, attempt: again.attempt }, 'test');
    expect(await claimTrial(db, await worker(), { families })).toMatchObject({ attempt: 1, lastRound: 0 });
  });

  test('keeps its weights and those of the last one; older ones are deleted', async () => {
    const ids: number[] = [];
    for (let number = 1; number <= 4; number++) {
      const paramsId = await halves(number);
      ids.push(paramsId);
      await insertRound(db, owner, { plan: plan(number), processIds: [], paramsId, last: null });
    }
    await params.collectGarbage();
    const kept = await db.query<{ id: number }>(`select id from rafiki.params where kind = 'round' order by id`);
    expect(kept.map(({ id }) => id)).toEqual(ids.slice(-2));
    await dropStudyParams(db, studyId); // as at the end of the study
    await params.collectGarbage();
    expect(await db.query(`select id from rafiki.params where kind = 'round'`)).toEqual([]);
  });
});
