import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Connection, Database } from '../../src/db/database.ts';
import { insertProcess } from '../../src/db/statements/processes.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews, eventually, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createReviews(db, 20);
});
afterEach(() => database.drop());

const end = (state: string, error: unknown = null): Promise<unknown> =>
  db.query('update rafiki.study set state = $1, error = $2, ended_at = now()', [
    state,
    error === null ? null : JSON.stringify(error),
  ]);

describe('rafiki_wait', () => {
  test('returns the state once another session has ended the study', async () => {
    const id = await insertStudy(db);
    const waiting = db.query(`select rafiki_wait($1) as state`, [id]);
    await eventually(
      db,
      `select pid from pg_stat_activity where query like 'select rafiki_wait%' and state = 'active'`,
    );
    await end('failed');
    expect(await waiting).toEqual([{ state: 'failed' }]);
  });

  test('returns the current state when the time is over', async () => {
    const id = await insertStudy(db);
    expect(await db.query(`select rafiki_wait($1, '0.1 s') as state`, [id])).toEqual([{ state: 'queued' }]);
    expect(await failureOf(db, `select rafiki_wait($1, '-1 s')`, [id])).toMatchObject({ code: '22023' });
  });

  test('refuses a negative time of any size', async () => {
    for (const timeout of ['-1 s', '-290000 years'])
      expect((await failureOf(db, `select rafiki_wait(1, '${timeout}')`)).code).toBe('22023');
  });

  test('refuses a study that does not exist, is not committed, or whose changes the snapshot hides', async () => {
    const id = await insertStudy(db);
    expect(await failureOf(db, 'select rafiki_wait(4711)')).toMatchObject({
      code: '42704',
      hint: `Your latest studies: ${id} (m).`,
    });
    const uncommitted = db.transaction(async (tx) => {
      await tx.query('savepoint a');
      const [study] = await tx.query<{ id: number }>(`select rafiki_train('sentiment', 'reviews') as id`);
      await tx.query('release a');
      await tx.query('select rafiki_wait($1)', [study?.id]);
    });
    await expect(uncommitted).rejects.toMatchObject({ code: '55000', hint: expect.stringContaining('Commit first') });
    const frozen = db.transaction((tx) => tx.query('select rafiki_wait($1)', [id]), 'isolation level repeatable read');
    await expect(frozen).rejects.toMatchObject({ code: '25000', detail: expect.stringContaining('repeatable read') });
  });
});

test('rafiki_cancel affects an open study only', async () => {
  const id = await insertStudy(db);
  expect(await db.query('select rafiki_cancel($1) as open', [id])).toEqual([{ open: true }]);
  expect(await db.query('select state, cancel_requested from rafiki.study')).toEqual([
    { state: 'queued', cancel_requested: true },
  ]);
  await end('cancelled');
  expect(await db.query('select rafiki_cancel($1) as open', [id])).toEqual([{ open: false }]);
  expect((await failureOf(db, 'select rafiki_cancel(4711)')).code).toBe('42704');
});

describe('rafiki_train_wait', () => {
  let session: Connection;
  let notices: string[];
  beforeEach(async () => {
    session = await db.connect(() => undefined);
    notices = [];
    session.onNotice((notice) => notices.push(notice));
  });
  afterEach(() => session.close());

  test('shows each trial as it ends, then the version', async () => {
    for (const kind of ['coordinator', 'worker'] as const) // or a slow machine is told that none works
      await insertProcess(db, { kind, host: 'h', pid: 1, threads: 1, version: '0' });
    const call = session.query(`call rafiki_train_wait('sentiment', 'reviews', max_trials => 2)`);
    const { id } = await eventually<{ id: number }>(db, 'select id from rafiki.study');
    await db.query(
      `insert into rafiki.trial (study_id, number, family, knobs, seed, state, score, seconds, error, ended_at)
       values ($1, 1, 'fasttext', '{}', 1, 'completed', 0.78125, 14.2, null, now()),
              ($1, 2, 'temporal_cnn', '{}', 1, 'failed', null, null, '{"message": "diverged"}', now()),
              ($1, 3, 'fasttext', '{}', 1, 'cancelled', null, null, null, now())`,
      [id],
    );
    await db.query(
      `with model as (insert into rafiki.model (name, task, owner) values ('reviews_sentiment', 'sentiment', current_user::regrole) returning id)
       insert into rafiki.model_version (model_id, version, study_id, score, classes, metric, judged_rows)
       select id, 1, $1, 0.78125, '{}', 'accuracy', 1600 from model`,
      [id],
    );
    await db.query(`update rafiki.study set version = 1, notice = 'no server runs'`);
    await end('completed');
    await call;
    expect(notices).toEqual([
      `study ${id} is queued: up to 2 trials in 00:10:00`,
      expect.stringMatching(/^rows: 20 used: \d+ to train on, \d+ to validate on$/),
      'classes: 2: "neg" 10, "pos" 10',
      expect.stringMatching(
        /^scores: "\w+" every time would score 0\.\d{3}; standard error of a score: 0\.\d{3} at most$/,
      ),
      `findings: few rows; select * from rafiki_check('sentiment', 'public.reviews')`,
      'trial 1/2 fasttext 0.781 in 14 s, best 0.781',
      'trial 2/2 temporal_cnn failed: diverged, best 0.781',
      'model "reviews_sentiment" version 1: score 0.781 (0.760 to 0.801), not deployed: no server runs',
    ]);
  });

  test('shows the running trials once a minute, the best first', async () => {
    const id = await insertStudy(db);
    const show = (): Promise<unknown> => session.query('select rafiki._show_running_trials($1)', [id]);
    await show();
    expect(notices).toEqual([]); // it has not begun

    await db.query(
      `update rafiki.study set state = 'running', started_at = now() - interval '4 min', max_time = '10 min'`,
    );
    await show();
    await db.query(
      `insert into rafiki.trial (study_id, number, family, knobs, seed, state, epoch, epochs, started_at)
       select $1, number, 'fasttext', '{}', 1, 'running', least(number - 1, 1), case when number > 1 then 9 end,
         now() - interval '4 min'
       from generate_series(1, 5) as number`,
      [id],
    );
    await db.query(
      `insert into rafiki.report (trial_id, epoch, attempt, step, loss, score, seconds)
       select t.id, 1, 0, 10, 1, 0.1 * t.number, 1 from rafiki.trial t where t.epoch = 1`,
    );
    await show();
    expect(notices).toEqual([
      '0 of 10 min: no trial is running', // its time has not begun
      '4 of 10 min: fasttext 0.500 (epoch 1/9), fasttext 0.400 (epoch 1/9), 3 more',
    ]);
  });

  test('ends with the error of a failed study', async () => {
    const call = failureOf(session, `call rafiki_train_wait('sentiment', 'reviews')`);
    await eventually(db, 'select id from rafiki.study');
    await end('failed', { sqlstate: '22000', message: 'no trial ended well', detail: 'row 3', hint: 'mend it' });
    expect(await call).toEqual({ code: '22000', message: 'no trial ended well', detail: 'row 3', hint: 'mend it' });
  });

  test('says so if no process works on the study', async () => {
    const call = session.query(`call rafiki_train_wait('sentiment', 'reviews')`);
    await expect.poll(() => notices).toContainEqual(expect.stringMatching(/no process works on study/));
    await end('cancelled');
    await call;
    expect(notices.at(-1)).toMatch(/study \d+ was cancelled/);
  });

  test('in a transaction block, is refused and leaves no study', async () => {
    const call = db.transaction(async (tx) => {
      await tx.query('select pg_sleep(0.15)'); // of a block that has just begun PostgreSQL says it, without a hint
      await tx.query(`call rafiki_train_wait('sentiment', 'reviews')`);
    });
    await expect(call).rejects.toMatchObject({ code: '2D000', hint: expect.stringContaining('rafiki_wait') });
    expect(await db.query('select id from rafiki.study')).toEqual([]);
  });
});

describe('rafiki_watch', () => {
  test('shows a study until it ends, and holds back no VACUUM meanwhile', async () => {
    const id = await insertStudy(db);
    const session = await db.connect(() => undefined);
    const notices: string[] = [];
    session.onNotice((notice) => notices.push(notice));
    const [backend] = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
    const call = session.query(`call rafiki_watch(${id})`);
    await eventually(db, `select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'`, [backend?.pid]);
    const [later] = await db.query<{ xid: string }>('select pg_current_xact_id()::text as xid');
    await eventually(
      db,
      `select from pg_stat_activity where pid = $1 and state = 'active' and backend_xmin::text::bigint > $2::bigint`,
      [backend?.pid, later?.xid],
    );
    await end('cancelled');
    await call;
    expect(notices.at(-1)).toBe(`study ${id} was cancelled`);
    await session.close();
  });

  test('says what a study that has ended has done', async () => {
    const id = await insertStudy(db);
    await end('failed', { sqlstate: '22000', message: 'no trial ended well' });
    expect(await failureOf(db, `call rafiki_watch(${id})`)).toMatchObject({ code: '22000' });
  });

  test('refuses a study that does not exist, and a transaction block', async () => {
    expect((await failureOf(db, 'call rafiki_watch(4711)')).code).toBe('42704');
    expect((await failureOf(db, 'call rafiki_watch(null)')).code).toBe('22004');
    const call = db.transaction(async (tx) => {
      await tx.query('select pg_sleep(0.15)');
      await tx.query('call rafiki_watch(4711)');
    });
    await expect(call).rejects.toMatchObject({ code: '2D000' });
  });
});
