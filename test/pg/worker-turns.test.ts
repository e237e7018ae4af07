import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Queryable } from '../../src/db/database.ts';
import { type ClaimedTrial, claimTrial, isWorkerNeeded } from '../../src/db/statements/claims.ts';
import { insertProcess } from '../../src/db/statements/processes.ts';
import { loseTrial, transitionTrial } from '../../src/db/statements/transitions.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { yieldRank } from '../../src/worker/trial-lease.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

/** Whose turn it is: which of several studies a worker takes its next trial from. */
let database: TestDatabase;
let db: TestDatabase['db'];
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createReviews(db, 10);
});
afterEach(() => database.drop());

async function study(model: string, trials: number, owner?: string): Promise<number> {
  const id = await insertStudy(db, { model, ...(owner === undefined ? {} : { owner }) });
  await db.query(
    `insert into rafiki.trial (study_id, number, family, knobs, seed) select $1, i, 'fasttext', '{}', i from generate_series(1, $2) i`,
    [id, trials],
  );
  return id;
}

const worker = (device = 'cpu'): Promise<number> =>
  insertProcess(db, { kind: 'worker', host: 'h', pid: 1, threads: 1, device, version: '0' });
const claim = (id: number, cached: number[] = []): Promise<ClaimedTrial | undefined> =>
  claimTrial(db, id, { families: ['fasttext'], cached });
const end = (owner: ClaimedTrial): Promise<boolean> =>
  transitionTrial({ on: db, logger: silentLogger }, { id: owner.trialId, from: 'running', event: 'fail', owner });

/** It waits again, and keeps its attempt. */
const giveUp = (owner: ClaimedTrial): Promise<boolean> =>
  transitionTrial({ on: db, logger: silentLogger }, { id: owner.trialId, from: 'running', event: 'lose-lease', owner });

/** Studies in the order in which the worker gets their trials, each ended before the next is taken. */
async function served(id: number, times: number, held: number[] = []): Promise<number[]> {
  const studies: number[] = [];
  for (let i = 0; i < times; i++) {
    const trial = (await claim(id, held))!;
    studies.push(trial.study.id);
    await end(trial);
  }
  return studies;
}

describe('fair shares', () => {
  test('a study with a thousand waiting trials does not starve one with three', async () => {
    const [large, small] = [await study('large', 1000), await study('small', 3)];
    expect(await served(await worker(), 7)).toEqual([large, small, large, small, large, small, large]);
  });

  test('each study gets the same number of workers', async () => {
    const [large, small] = [await study('large', 1000), await study('small', 3)];
    const studies: (number | undefined)[] = [];
    for (let i = 0; i < 6; i++) studies.push((await claim(await worker()))?.study.id);
    expect(studies.filter((id) => id === small)).toHaveLength(3);
    expect(studies.filter((id) => id === large)).toHaveLength(3);
  });
});

describe('roles', () => {
  const roleOf = async (name: string): Promise<string> => {
    const session = await database.as(name);
    await db.query('grant select on reviews to public');
    return (await session.query<{ name: string }>('select current_user::text as name'))[0]?.name ?? '';
  };

  test('take turns, however many studies one of them has, and whatever data the worker holds', async () => {
    const [many, few] = [await roleOf('many'), await roleOf('few')];
    const studies: number[] = [];
    for (let i = 0; i < 30; i++) studies.push(await study(`many ${i}`, 3, many));
    const own = await study('own', 3, few);
    const turns = await served(await worker(), 6, studies);
    expect(turns.map((id) => (id === own ? 'few' : 'many'))).toEqual(['many', 'few', 'many', 'few', 'many', 'few']);
  });

  test('share the workers equally, whatever their number of studies', async () => {
    const [many, few] = [await roleOf('many'), await roleOf('few')];
    for (let i = 0; i < 10; i++) await study(`many ${i}`, 3, many);
    const own = await study('own', 3, few);
    const claimed: (number | undefined)[] = [];
    for (let i = 0; i < 6; i++) claimed.push((await claim(await worker()))?.study.id);
    expect(claimed.filter((id) => id === own)).toHaveLength(3);
  });

  test('need a worker if none of their trials runs, and one has waited for some time', async () => {
    const [served, waiting] = [await roleOf('served'), await roleOf('waiting')];
    await study('of the served one', 2, served);
    const own = await worker();
    await claim(own);
    const isNeeded = (): Promise<boolean> => isWorkerNeeded(db, own, { families: ['fasttext'] });
    const late = `update rafiki.trial set created_at = now() - interval '1 h' where state = 'waiting'`;
    await db.query(late);
    expect(await isNeeded()).toBe(false);
    await study('of the waiting one', 1, waiting);
    expect(await isNeeded()).toBe(false);
    await db.query(late);
    expect(await isNeeded()).toBe(true);
  });

  const rank = (owner: ClaimedTrial): Promise<number | null> => yieldRank(db, owner, { families: ['fasttext'] });

  test('give up their newest trial first for a role without any that waits', async () => {
    const [busy, waiting] = [await roleOf('busy'), await roleOf('waits')];
    await study('of the busy one', 3, busy);
    const [oldest, newest] = [(await claim(await worker()))!, (await claim(await worker()))!];
    const own = await study('of the waiting one', 1, waiting);
    expect([await rank(oldest), await rank(newest)]).toEqual([null, null]);
    await db.query(`update rafiki.trial set created_at = now() - interval '1 min'`);
    expect([await rank(oldest), await rank(newest)]).toEqual([1, 0]);
    await giveUp(newest);
    expect(await rank(oldest)).toBe(Number.POSITIVE_INFINITY);
    expect((await claim(newest.processId))?.study.id).toBe(own);
    expect(await rank(oldest)).toBeNull();
  });

  test('keep their only trial for an hour, and then take turns', async () => {
    const [one, other] = [await roleOf('one'), await roleOf('other')];
    const studies = [await study('of one', 1, one), await study('of the other', 1, other)];
    await db.query(`update rafiki.trial set created_at = now() - interval '1 day'`);
    const only = await worker();
    const turns: (number | undefined)[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const trial = (await claim(only))!;
      turns.push(trial.study.id);
      expect(await rank(trial)).toBe(Number.POSITIVE_INFINITY);
      await db.query(`update rafiki.trial set claimed_at = claimed_at - interval '1 h'`);
      expect(await rank(trial)).toBe(1);
      await giveUp(trial);
    }
    expect(turns).toEqual([...studies, ...studies]);
  });

  test('have at most as many open studies as the quota', async () => {
    const role = await database.as('eager');
    await db.query('grant select on reviews to public');
    await db.query(`update rafiki.quota set value = 2 where name = 'open_studies'`);
    const train = (model: string): string => `select rafiki_train('sentiment', 'reviews', model => '${model}')`;
    await role.query(train('a'));
    await role.query(train('b'));
    expect(await failureOf(role, train('c'))).toMatchObject({
      code: '53400',
      hint: expect.stringContaining('rafiki_cancel'),
    });
    await db.query(`update rafiki.study set state = 'cancelled', ended_at = now() where model = 'a'`);
    await role.query(train('c'));
  });
});

describe('data', () => {
  test('a worker stays with the study whose data it has, while others train the other one', async () => {
    const [here, there] = [await study('here', 9), await study('there', 9)];
    const [one, other] = [await worker(), await worker()];
    expect((await claim(one, [here]))?.study.id).toBe(here);
    expect((await claim(other, [there]))?.study.id).toBe(there);
    expect(await served(await worker(), 3, [here])).toEqual([here, here, here]);
  });

  test('it changes if a trial of the other one has waited for long, or if no worker trains it', async () => {
    const [here, there] = [await study('here', 9), await study('there', 9)];
    expect(await served(await worker(), 2, [here])).toEqual([here, there]);
    await claim(await worker(), [there]);
    const waited = (studyId: number): Promise<unknown> =>
      db.query(`update rafiki.trial set created_at = now() - interval '11 s' where study_id = $1`, [studyId]);
    await claim(await worker(), [here]);
    await claim(await worker(), [here]);
    await waited(there);
    expect((await claim(await worker(), [here]))?.study.id).toBe(there);
  });
});

describe('a GPU', () => {
  test('takes trials that request one first, and no other worker takes these', async () => {
    const [plain, asking] = [await study('plain', 3), await study('asking', 2)];
    await db.query('update rafiki.study set gpu = true where id = $1', [asking]);
    expect(await served(await worker('cpu'), 2)).toEqual([plain, plain]);
    expect(await served(await worker('cuda'), 3)).toEqual([asking, asking, plain]);
    expect(await claim(await worker('cpu'))).toBeUndefined();
  });

  test('is requested by a setting of the session, which gets a notice if no worker has one', async () => {
    const session = await db.connect(() => undefined);
    const notices: string[] = [];
    session.onNotice((notice) => notices.push(notice));
    await session.query('set rafiki.gpu = on');
    for (const model of ['first', 'second']) {
      await session.query(`select rafiki_train('sentiment', 'reviews', model => $1)`, [model]);
      await worker('webgpu');
    }
    await session.close();
    expect(notices).toEqual(['no worker with a GPU is running']);
    expect(await db.query('select gpu from rafiki.study')).toEqual([{ gpu: true }, { gpu: true }]);
  });
});

test('a worker that is considered dead claims nothing', async () => {
  await study('m', 1);
  expect(await claim(404)).toBeUndefined();
});

test('rafiki.workers shows the backlog, the age of its oldest trial, and lost leases', async () => {
  const [plain, asking] = [await study('plain', 3), await study('asking', 2)];
  await db.query('update rafiki.study set gpu = true where id = $1', [asking]);
  await db.query(`update rafiki.trial set created_at = now() - interval '90 s' where study_id = $1 and number = 2`, [
    plain,
  ]);
  await insertProcess(db, { kind: 'coordinator', host: 'h', pid: 1, threads: 1, version: '0' });
  const stalled = await worker();
  await worker('webgpu');
  const trial = (await claim(stalled))!;
  await loseTrial({ on: db, logger: silentLogger }, { id: trial.trialId, attempt: 0 }, 'gone');
  const rows = await db.query(
    'select kind, device, waiting::int, oldest_s::int >= 90 as old, lost::int from rafiki.workers',
  );
  expect(rows).toEqual([
    { kind: 'coordinator', device: 'cpu', waiting: 5, old: true, lost: 1 },
    { kind: 'worker', device: 'cpu', waiting: 3, old: true, lost: 0 },
    { kind: 'worker', device: 'webgpu', waiting: 5, old: true, lost: 0 },
  ]);
});

test('a claim among 10,000 waiting trials reads rows by indexes only', async () => {
  await study('a', 5_000);
  await study('b', 5_000);
  await db.query('analyze rafiki.trial');
  const plans: string[] = [];
  const explaining: Queryable = {
    async query<Row>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
      const rows = await db.query<{ 'QUERY PLAN': string }>(`explain (analyze, timing off, costs off) ${sql}`, values);
      plans.push(...rows.map((row) => row['QUERY PLAN']));
      return [];
    },
  };
  await claimTrial(explaining, await worker(), { families: ['fasttext'] });
  const scans = plans.filter((line) => /on trial\b/.test(line) && line.includes('Scan'));
  expect(scans.length).toBeGreaterThan(3);
  expect(scans.filter((line) => line.includes('Seq Scan') || line.includes('Bitmap'))).toEqual([]);
  // no scan gives more than a few rows, however many wait
  for (const line of scans) expect(Number(/rows=([\d.]+)/.exec(line)?.[1] ?? Number.NaN), line).toBeLessThanOrEqual(2);
});
