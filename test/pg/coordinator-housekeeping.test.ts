import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Housekeeping, MIN_CHECKS } from '../../src/coordinator/housekeeping.ts';
import type { Connection } from '../../src/db/database.ts';
import { claimTrial } from '../../src/db/statements/claims.ts';
import { acquireLeadership } from '../../src/db/statements/leadership.ts';
import { insertProcess } from '../../src/db/statements/processes.ts';
import { insertTrial, renewLease } from '../../src/db/statements/trials.ts';
import { LEASE_MS } from '../../src/domain/leases.ts';
import { InvalidState } from '../../src/errors/errors.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { type Logger, silentLogger } from '../../src/runtime/logger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
let connection: Connection;
let clock: ManualClock;
let housekeeping: Housekeeping;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  connection = await db.connect(() => undefined);
  clock = new ManualClock();
  clock.advance(3_600_000); // the process is older than its lead
  housekeeping = begin();
});

const begin = (): Housekeeping =>
  new Housekeeping({
    connection,
    params: new PostgresParamStore({ database: database.service, graceMs: 0 }),
    clock,
    logger: silentLogger,
  });
async function checkAgain(): Promise<void> {
  clock.advance(1_000);
  await housekeeping.run();
}
afterEach(async () => {
  await connection.close();
  await database.drop();
});

const worker = (): Promise<number> =>
  insertProcess(db, { kind: 'worker', host: 'h', pid: 1, threads: 1, version: '0' });

const saveParams = (): Promise<unknown> =>
  new PostgresParamStore({ database: database.service }).save('checkpoint', {
    tensors: { a: { dtype: 'int32', shape: [1], data: Int32Array.of(1) } },
    meta: {},
  });

describe('the leader', () => {
  test('gives a lost trial to the next worker, but leaves workers a lease of time to renew after a restart', async () => {
    await createReviews(db, 10);
    const studyId = await insertStudy(db);
    for (const number of [1, 2])
      await insertTrial(db, { studyId, number, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
    const lost = await claimTrial(db, await worker(), { families: ['fasttext'] });
    await claimTrial(db, await worker(), { families: ['fasttext'] });
    await db.query(`update rafiki.trial set lease_until = now() - interval '1 s' where id = $1`, [lost?.trialId]);
    const states = (): Promise<unknown[]> => db.query('select state, attempt from rafiki.trial order by id');

    await housekeeping.run();
    expect(await states()).toEqual([
      { state: 'running', attempt: 0 },
      { state: 'running', attempt: 0 },
    ]);
    clock.advance(LEASE_MS);
    for (let check = 2; check < MIN_CHECKS; check++) await checkAgain();
    expect(await states()).toMatchObject([{ state: 'running' }, { state: 'running' }]);
    await checkAgain();
    expect(await states()).toEqual([
      { state: 'waiting', attempt: 1 },
      { state: 'running', attempt: 0 },
    ]);
    expect(await db.query('select lost::int from rafiki.workers order by process')).toEqual([{ lost: 1 }, { lost: 0 }]);
  });

  test('leaves a trial whose worker renews its lease after Postgres was away, or its clock was set', async () => {
    await createReviews(db, 10);
    const studyId = await insertStudy(db);
    await insertTrial(db, { studyId, number: 1, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
    const trial = (await claimTrial(db, await worker(), { families: ['fasttext'] }))!;
    clock.advance(LEASE_MS);
    for (let time = 1; time <= 2; time++) {
      await db.query(`update rafiki.trial set lease_until = now() - interval '1 s'`);
      for (let check = 1; check < MIN_CHECKS; check++) await checkAgain();
      expect(await renewLease(db, trial)).toMatchObject({ stop: false });
      await checkAgain();
    }
    expect(await db.query('select state, attempt from rafiki.trial')).toEqual([{ state: 'running', attempt: 0 }]);
  });

  test('gives a lost trial to the next worker even if each leader lives shorter than a lease', async () => {
    await createReviews(db, 10);
    await insertTrial(db, {
      ...{
        studyId: await insertStudy(db),
        number: 1,
        family: 'fasttext',
        knobs: {},
        seed: 1,
        initialWeights: 'random',
      },
    });
    await claimTrial(db, await worker(), { families: ['fasttext'] });
    await db.query(`update rafiki.trial set lease_until = now() - interval '1 s'`);
    for (let leader = 1; leader < LEASE_MS / 1000; leader++) await begin().run();
    expect(await db.query('select state from rafiki.trial')).toEqual([{ state: 'running' }]);
    await begin().run();
    expect(await db.query('select state, attempt from rafiki.trial')).toEqual([{ state: 'waiting', attempt: 1 }]);
  });

  test('gives a lost trial to the next worker after a lease of time if the clock was set back', async () => {
    await createReviews(db, 10);
    const studyId = await insertStudy(db);
    await insertTrial(db, { studyId, number: 1, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
    await claimTrial(db, await worker(), { families: ['fasttext'] });
    await db.query(`update rafiki.trial set lease_until = now() + interval '1 hour'`);
    for (let check = 1; check < LEASE_MS / 1000; check++) {
      clock.advance(LEASE_MS); // it leads for long
      await housekeeping.run();
    }
    expect(await db.query('select state from rafiki.trial')).toEqual([{ state: 'running' }]);
    clock.advance(LEASE_MS);
    await housekeeping.run();
    expect(await db.query('select state, attempt from rafiki.trial')).toEqual([{ state: 'waiting', attempt: 1 }]);
  });

  test('is another coordinator after the clock was set back and it has ended', async () => {
    expect([await acquireLeadership(db, 1), await acquireLeadership(db, 2)]).toEqual([true, false]);
    await db.query(`update rafiki.leader set lease_until = now() + interval '1 hour'`);
    expect([await acquireLeadership(db, 2), await acquireLeadership(db, 1)]).toEqual([true, false]);
  });

  test('deletes the rows of dead processes, not of late ones', async () => {
    await worker();
    await db.query(`update rafiki.process set seen_at = now() - interval '2 min'`);
    await worker();
    await db.query(
      `update rafiki.process set seen_at = now() - interval '40 s' where seen_at > now() - interval '1 min'`,
    );
    clock.advance(60_000);
    await housekeeping.run();
    await db.query(`update rafiki.process set seen_at = now() where seen_at > now() - interval '1 min'`);
    clock.advance(10_000);
    await housekeeping.run();
    expect(await db.query('select from rafiki.process')).toHaveLength(1);
  });

  test('leaves the rows of processes that are back after Postgres was away', async () => {
    await worker();
    for (let time = 1; time <= 2; time++) {
      await db.query(`update rafiki.process set seen_at = now() - interval '2 min'`);
      clock.advance(10_000);
      await housekeeping.run();
      await db.query('update rafiki.process set seen_at = now()'); // its heartbeat
      clock.advance(10_000);
      await housekeeping.run();
    }
    expect(await db.query('select from rafiki.process')).toHaveLength(1);
  });

  test('collects unreferenced parameters, a minute after the last time', async () => {
    const left = (): Promise<unknown[]> => db.query('select from rafiki.params union all select from rafiki.blob');
    await saveParams();
    for (let time = 1; time <= 2; time++) {
      await housekeeping.run();
      expect(await left()).not.toEqual([]);
      clock.advance(60_000);
      await housekeeping.run();
      await expect.poll(left).toEqual([]);
      await saveParams();
    }
  });

  test('postpones what another session has locked, and does the rest', async () => {
    await worker();
    await db.query(`update rafiki.process set seen_at = now() - interval '2 min'`);
    const other = await db.connect(() => undefined);
    await other.query('begin');
    await other.query('lock rafiki.process in access exclusive mode');
    await connection.query(`set lock_timeout = '100ms'`);
    await saveParams();
    clock.advance(60_000);
    await housekeeping.run();
    await expect.poll(() => db.query('select from rafiki.params')).toEqual([]);
    await other.query('rollback');
    await other.close();
    expect(await db.query('select from rafiki.process')).toHaveLength(1);
    for (let check = 1; check <= 2; check++) {
      clock.advance(60_000);
      await housekeeping.run();
    }
    expect(await db.query('select from rafiki.process')).toEqual([]);
  });

  test('goes on if parameters cannot be deleted, and says so once', async () => {
    const params = new PostgresParamStore({ database: database.service, graceMs: 0 });
    let failure: Error | undefined = new InvalidState('nothing is deleted in S3');
    let turns = 0;
    params.collectObjects = async () => {
      turns++;
      if (failure) throw failure;
      return 0;
    };
    const warn = vi.fn();
    const none = (): void => undefined;
    const logger: Logger = { level: 'info', debug: none, info: none, warn, error: none };
    const keeper = new Housekeeping({ connection, params, clock, logger });
    const turn = async (): Promise<void> => {
      const before = turns;
      clock.advance(60_000);
      await keeper.run();
      await expect.poll(() => turns).toBe(before + 1);
    };
    for (let i = 0; i < 3; i++) await turn();
    expect(warn).toHaveBeenCalledTimes(1);
    failure = undefined;
    await turn();
    failure = new InvalidState('nothing is deleted in S3');
    await turn();
    await keeper.stop();
    expect(warn).toHaveBeenCalledTimes(2);
  });

  test('fails with any other error', async () => {
    await connection.query('begin');
    await expect(connection.query('select 1 / 0')).rejects.toThrow();
    await expect(housekeeping.run()).rejects.toMatchObject({ code: '25P02' });
  });
});
