import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { advanceStudies, type Leader, StudyTurns, TURN_MS } from '../../src/coordinator/advance-studies.ts';
import { conclude } from '../../src/coordinator/conclude.ts';
import { Housekeeping } from '../../src/coordinator/housekeeping.ts';
import type { Connection, Database } from '../../src/db/database.ts';
import { type ClaimedTrial, claimTrial } from '../../src/db/statements/claims.ts';
import { acquireLeadership } from '../../src/db/statements/leadership.ts';
import { insertProcess } from '../../src/db/statements/processes.ts';
import { insertReport } from '../../src/db/statements/reports.ts';
import { selectOpenStudies } from '../../src/db/statements/studies.ts';
import { insertTrial, renewLease } from '../../src/db/statements/trials.ts';
import { InvalidState } from '../../src/errors/errors.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
let connection: Connection;
let studyId: number;
let workerId: number;
let leader: Leader;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  connection = await db.connect(() => undefined);
  await createReviews(db, 10);
  studyId = await insertStudy(db);
  await db.query(`update rafiki.study set state = 'running', started_at = now()`);
  const row = { host: 'h', pid: 1, threads: 1, version: '0' };
  workerId = await insertProcess(db, { kind: 'worker', ...row });
  const processId = await insertProcess(db, { kind: 'coordinator', ...row });
  await acquireLeadership(connection, processId);
  leader = { connection, processId, logger };
});

afterEach(async () => {
  await connection.close();
  await database.drop();
});

const propose = (number: number): Promise<unknown> =>
  insertTrial(db, { studyId, number, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
const claim = (): Promise<ClaimedTrial | undefined> => claimTrial(db, workerId, { families: ['fasttext'] });
const states = async (): Promise<unknown> => ({
  study: (await db.query<{ state: string }>('select state from rafiki.study'))[0]?.state,
  trials: (await db.query<{ state: string }>('select state from rafiki.trial order by number')).map(
    ({ state }) => state,
  ),
});

/** The leader, to whom something happens after it has read the rows, and before it acts on them. */
function overtaken(by: () => Promise<unknown>): Leader {
  let isOver = false;
  const query: Connection['query'] = async (sql, values) => {
    if (sql === 'begin' && !isOver) {
      isOver = true;
      await by();
    }
    return connection.query(sql, values);
  };
  return { ...leader, connection: { ...connection, query } };
}

describe("a trial that is claimed between the coordinator's read and its write", () => {
  test('is cancelled with its study', async () => {
    await propose(1);
    await db.query('update rafiki.study set cancel_requested = true');
    await advanceStudies(overtaken(claim));
    expect(await states()).toEqual({ study: 'running', trials: ['running'] });
    await db.query('select from rafiki.study for update nowait'); // nobody holds what could not be done
    await advanceStudies(leader);
    expect(await states()).toEqual({ study: 'cancelled', trials: ['cancelled'] });
  });

  test('is cancelled if its study fails', async () => {
    await propose(1);
    await propose(2);
    const error = { sqlstate: '42501', message: 'permission denied' };
    await db.query(`update rafiki.trial set state = 'failed', error = $1 where number = 1`, [JSON.stringify(error)]);
    await advanceStudies(overtaken(claim));
    expect(await states()).toEqual({ study: 'running', trials: ['failed', 'running'] });
    await advanceStudies(leader);
    expect(await states()).toEqual({ study: 'failed', trials: ['failed', 'cancelled'] });
  });

  test('is cancelled even if its worker gave it back meanwhile', async () => {
    await propose(1);
    await claim();
    await db.query('update rafiki.study set cancel_requested = true');
    await advanceStudies(overtaken(() => db.query(`update rafiki.trial set state = 'waiting', process_id = null`)));
    await advanceStudies(leader);
    expect(await states()).toEqual({ study: 'cancelled', trials: ['cancelled'] });
  });
});

test('a study that has begun has more to do at once; one whose trials wait for workers has not', async () => {
  await db.query(`update rafiki.study set state = 'queued', started_at = null`);
  expect(await advanceStudies(leader)).toBe(true);
  expect(await states()).toEqual({ study: 'running', trials: [] });
  for (let i = 0; i < 2; i++) {
    expect(await advanceStudies(leader)).toBe(false);
    expect(await states()).toEqual({ study: 'running', trials: ['waiting'] });
  }
});

test('a tick whose time is over leaves the other studies to the next one', async () => {
  await insertStudy(db, { model: 'other' });
  let nowMs = 0;
  const turns = new StudyTurns({ nowMs: () => (nowMs += TURN_MS / 2) }); // one study in its time
  const waiting = (): Promise<unknown[]> =>
    db.query('select from rafiki.trial union all select from rafiki.study where state = $1', ['queued']);
  expect(await advanceStudies(leader, turns)).toBe(true);
  expect(await waiting()).toHaveLength(2);
  expect(await advanceStudies(leader, turns)).toBe(true);
  expect(await waiting()).toHaveLength(1);
});

test('a paused study is not read, until its owner or its end wants more', async () => {
  await propose(1);
  await db.query('update rafiki.study set paused_at = now()');
  const asked: string[] = [];
  const query: Connection['query'] = (sql, values) => {
    asked.push(sql);
    return connection.query(sql, values);
  };
  const watched = { ...leader, connection: { ...connection, query } };
  expect(await advanceStudies(watched)).toBe(false);
  expect(asked.filter((sql) => sql.includes('rafiki.report'))).toEqual([]);
  await db.query('update rafiki.study set cancel_requested = true');
  await advanceStudies(watched);
  expect(await states()).toEqual({ study: 'cancelled', trials: ['cancelled'] });
});

test('a trial that ends while the coordinator is away is asked to stop before it is cut off', async () => {
  await propose(1);
  const trial = (await claim())!;
  await insertReport(db, trial, { epoch: 1, epochs: 4, step: 1, loss: 1, score: 0.8, metrics: {}, seconds: 1 });
  await db.query(`update rafiki.trial set started_at = now() - interval '1 h'`);
  for (let tick = 1; tick <= 2; tick++) await advanceStudies(leader);
  expect(await db.query('select state, stop_requested, stop_requested_at is not null as at from rafiki.trial')).toEqual(
    [{ state: 'running', stop_requested: true, at: true }],
  );
  await db.query(`update rafiki.trial set stop_requested_at = now() - interval '11 min'`);
  await advanceStudies(leader);
  expect(await states()).toEqual({ study: 'running', trials: ['cancelled'] });
});

describe('a study that cannot be advanced', () => {
  test('fails with what Postgres said, and the others go on', async () => {
    const other = await insertStudy(db, { model: 'other' });
    await db.query(`
      create function refuse() returns trigger language plpgsql as
        $$ begin raise exception using errcode = '54000', message = 'not this one', hint = 'Another.'; end $$;
      create trigger refuse before insert on rafiki.trial for each row
        when (new.study_id = ${studyId}) execute function refuse()`);
    await advanceStudies(leader);
    const error = { sqlstate: '54000', message: 'not this one', hint: 'Another.' };
    expect(await db.query('select id, state, error from rafiki.study order by id')).toEqual([
      { id: studyId, state: 'failed', error },
      { id: other, state: 'running', error: null },
    ]);
  });

  test.each([
    ['a column', 'running', 'alter table rafiki.trial rename column rung_size to size_of_rung', '42703'],
    ['a function', 'queued', 'alter function rafiki._choose_encoders(bigint) rename to _choose_others', '42883'],
    ['a table', 'running', 'alter table rafiki.report rename to reported', '42P01'],
  ])('does not fail if the schema of another version lacks %s that it needs', async (_, state, change, code) => {
    await db.query(`update rafiki.study set state = $1, started_at = case $1 when 'running' then now() end`, [state]);
    await db.query(change);
    await expect(advanceStudies(leader)).rejects.toMatchObject({ code });
    expect(await db.query('select state, error from rafiki.study')).toEqual([{ state, error: null }]);
  });

  test('makes no model without a trial that has a score', async () => {
    const [study] = await selectOpenStudies(db);
    await expect(conclude({ on: db, logger }, study!, [])).rejects.toThrowError(InvalidState);
    expect(await db.query('select from rafiki.model')).toEqual([]);
  });
});

describe('a trial of a study that has ended', () => {
  test('gets no renewed lease, and is cancelled', async () => {
    await propose(1);
    await propose(2);
    const trial = await claim();
    if (trial === undefined) throw new Error('there is a trial to claim');
    expect(await renewLease(db, trial)).toMatchObject({ stop: false });
    await db.query(`update rafiki.study set state = 'failed', ended_at = now()`);
    expect(await renewLease(db, trial)).toBeUndefined();
    const clock = new ManualClock();
    const params = new PostgresParamStore({ database: database.service, graceMs: 0 });
    const housekeeping = new Housekeeping({ connection, params, clock, logger });
    clock.advance(10_000);
    await housekeeping.run();
    expect(await states()).toEqual({ study: 'failed', trials: ['cancelled', 'cancelled'] });
  });
});
