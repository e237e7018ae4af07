import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import { DataCache } from '../../src/datasets/data-cache.ts';
import type { Database } from '../../src/db/database.ts';
import { ReaderLogin } from '../../src/db/reader-login.ts';
import { claimTrial } from '../../src/db/statements/claims.ts';
import { insertProcess } from '../../src/db/statements/processes.ts';
import { admitReader, endReading } from '../../src/db/statements/readings.ts';
import { insertTrial } from '../../src/db/statements/trials.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { type Service, startAll, stopAll } from '../../src/runtime/service.ts';
import { createWorker, type WorkerOptions } from '../../src/worker/create-worker.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, eventually, insertStudy, studyEnd } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
let dir: string;
let mallory: string;
let services: Service[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-reads-'));
  const session = await database.as('mallory');
  [{ mallory }] = (await session.query<{ mallory: string }>('select current_user::text as mallory')) as [
    { mallory: string },
  ];
  await createReviews(db);
  await db.query('grant select on reviews to public');
  await db.query(`
    create function asleep() returns boolean language plpgsql as $$
    begin
      loop
        begin
          perform pg_sleep(1000);
        exception when query_canceled then null;
        end;
      end loop;
    end $$`);
  await db.query('create view sleeping as select * from reviews where asleep()');
  await db.query('grant select on sleeping to public');
});

afterEach(async () => {
  await stopAll(services);
  services = [];
  rmSync(dir, { recursive: true, force: true });
  await database.drop();
});

const reads = `
  select pid from pg_stat_activity where usename = 'rafiki_reader' and datname = current_database() and state = 'active'`;
const sleep = (model: string, maxTrials = 4): Promise<number> =>
  insertStudy(db, {
    model,
    owner: mallory,
    source: 'sleeping',
    families: ['fasttext'],
    maxTrials,
    maxTime: '720 hours',
  });
const train = (): Promise<number> =>
  insertStudy(db, { model: 'honest', families: ['fasttext'], knobs: { epochs: 2 }, maxTrials: 1 });

async function run(
  own: Pick<WorkerOptions, 'readTimes' | 'yieldMs'>,
  coordinators = [createCoordinator({ database: database.service, logger })],
): Promise<void> {
  const worker = () =>
    createWorker({ database: database.service, threads: 1, cores: 2, cacheDir: dir, logger, ...own });
  services = [...coordinators, worker(), worker()];
  await startAll(services);
}

describe('a source that sleeps, whatever cancels it', () => {
  test('is terminated in its backend once a read has taken the maximum time', async () => {
    const id = await sleep('m');
    const cache = new DataCache({
      database: database.service,
      dir,
      logger,
      times: { maxMs: 500, checkIntervalMs: 50 },
    });
    const reading = cache.file({ id, createdAt: 'x', task: 'sentiment' }, new AbortController());
    await expect(reading).rejects.toMatchObject({
      sqlstate: '57014',
      message: 'reading the source of the study takes too long',
      detail: expect.stringContaining('no read takes longer'),
      hint: expect.stringContaining('create table'),
    });
    await expect.poll(() => db.query(reads)).toEqual([]);
  });

  test('is terminated in its backend if its worker was killed', async () => {
    const { connection } = await new ReaderLogin({ serviceUrl: database.service.url, logger }).connect({
      statementTimeout: '1h',
      maxBytes: 2 ** 20,
    });
    const sleeping = connection.query('select public.asleep()');
    await expect.poll(() => db.query(reads)).toHaveLength(1);
    connection.client.connection.stream.destroy();
    await expect(sleeping).rejects.toThrow();
    await expect.poll(() => db.query(reads)).toEqual([]);
  });

  test("is read through the reader's URL if one is set, independent of the service's", async () => {
    const given = new URL(database.service.url);
    given.username = 'rafiki_reader';
    const serviceUrl = 'postgres://rafiki_service@127.0.0.1:1/nowhere';
    const { connection } = await new ReaderLogin({ serviceUrl, readerUrl: given.href, logger }).connect({
      statementTimeout: '1min',
      maxBytes: 2 ** 20,
    });
    expect(await connection.query('select session_user::text as name')).toEqual([{ name: 'rafiki_reader' }]);
    await connection.close();
  });

  test('occupies one worker, not all: those that wait for its rows leave it for another role', async () => {
    const asleep = await sleep('m');
    await run({ readTimes: { checkIntervalMs: 200 } });
    await eventually(db, `select where (select count(*) from rafiki.trial where state = 'running') = 2`);
    await eventually(db, reads);
    expect(await studyEnd(db, await train())).toMatchObject({ state: 'completed' });
    expect(await db.query('select state from rafiki.study where id = $1', [asleep])).toEqual([{ state: 'running' }]);
    expect(await db.query(reads)).toHaveLength(1);
  });

  test('loses its worker to a role without running trials, however many such sources there are', async () => {
    for (let i = 0; i < 5; i++) await sleep(`m${i}`, 1); // so no two workers want the same rows
    await run({ readTimes: { checkIntervalMs: 200, contendedMs: 1_000 } });
    await eventually(db, `select where (select count(*) from pg_stat_activity where usename = 'rafiki_reader') >= 2`);
    expect(await studyEnd(db, await train())).toMatchObject({ state: 'completed' });
    const failed = await db.query<{ error: { detail: string } }>(
      `select error from rafiki.study where state = 'failed'`,
    );
    expect(failed.length).toBeGreaterThan(0);
    expect(failed[0]?.error).toMatchObject({ sqlstate: '57014', detail: expect.stringContaining('others wait') });
  });
});

test('a worker does not claim a trial of a study that another worker of its machine is reading, if there is another trial', async () => {
  const [first, second] = [await insertStudy(db, { model: 'a' }), await insertStudy(db, { model: 'b' })];
  for (const studyId of [first, first, second]) {
    const number = studyId === first ? (await db.query('select from rafiki.trial')).length + 1 : 1;
    await insertTrial(db, { studyId, number, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
  }
  const row = { kind: 'worker', host: 'h', pid: 1, threads: 1, version: '0' } as const;
  const claim = async (): Promise<number | undefined> => {
    const processId = await insertProcess(db, row);
    return (await claimTrial(db, processId, { families: ['fasttext'], beingRead: [first] }))?.study.id;
  };
  expect([await claim(), await claim(), await claim()]).toEqual([second, first, first]);
});

test('a running read is visible to the other workers of the machine', async () => {
  const id = await sleep('m');
  const [reader, other] = [0, 1].map(() => new DataCache({ database: database.service, dir, logger }));
  expect(await other!.beingRead()).toEqual([]);
  const abort = new AbortController();
  const reading = reader!.file({ id, createdAt: 'x', task: 'sentiment' }, abort);
  await expect.poll(() => other!.beingRead()).toEqual([id]);
  abort.abort();
  await expect(reading).rejects.toMatchObject({ sqlstate: '57014' });
  expect(await other!.beingRead()).toEqual([]);
});

test('rows that were read just now are held by the machine, and not being read any more', async () => {
  const id = await insertStudy(db);
  const [reader, other] = [0, 1].map(() => new DataCache({ database: database.service, dir, logger }));
  await reader!.file({ id, createdAt: 'x', task: 'sentiment' }, new AbortController());
  expect([await other!.cachedStudies(), await other!.beingRead()]).toEqual([[id], []]);
});

test('a worker waits for the read of another one as long as that may take, and no longer', async () => {
  const id = await sleep('m');
  const study = { id, createdAt: 'x', task: 'sentiment' } as const;
  const [reader, other] = [undefined, { maxMs: 300 }].map(
    (times) => new DataCache({ database: database.service, dir, logger, times }),
  );
  const abort = new AbortController();
  const reading = reader!.file(study, abort);
  await expect.poll(() => other!.beingRead()).toEqual([id]);
  await expect(other!.file(study, new AbortController())).rejects.toMatchObject({ sqlstate: '53400' });
  abort.abort();
  await expect(reading).rejects.toMatchObject({ sqlstate: '57014' });
});

test('the end of a read does not end that of another study which has got its pid meanwhile', async () => {
  const [first, second] = [await insertStudy(db, { model: 'a' }), await insertStudy(db, { model: 'b' })];
  const admit = (id: number) => admitReader(database.service, 1, { of: 'study', id });
  const [ended, running] = [await admit(first), await admit(second)];
  const admitted = 'select pid from rafiki.reading where pid = 1';
  await endReading(database.service, ended);
  expect(await db.query(admitted)).toEqual([{ pid: 1 }]);
  await endReading(database.service, running);
  expect(await db.query(admitted)).toEqual([]);
});

test('a role with long trials in all workers gives up the newest for one without any, with its checkpoint', async () => {
  await db.query(`create table many as select r.* from reviews r, generate_series(1, 600)`);
  await db.query('grant select on many to public');
  const [busy, waiting] = [
    await insertStudy(db, { model: 'busy', owner: mallory, source: 'many', maxTime: '720 hours' }),
    await insertStudy(db, { model: 'waiting' }),
  ];
  await db.query(`update rafiki.study set state = 'running', started_at = now()`);
  const add = (studyId: number, number: number, knobs = {}): Promise<unknown> =>
    insertTrial(db, { studyId, number, family: 'fasttext', knobs, seed: number, initialWeights: 'random' });
  for (const number of [1, 2]) await add(busy, number, { epochs: 20, word_dropout: 0.6, learning_rate: 1e-3 });
  await run({ yieldMs: 500 }, []);
  await eventually(db, `select where (select count(distinct trial_id) from rafiki.report) = 2`);
  await add(waiting, 1);
  await db.query(`update rafiki.trial set created_at = now() - interval '1 min' where study_id = $1`, [waiting]);
  const served = `
    select array_agg(t.state order by t.claimed_at, t.id) as states, max(t.attempt) as attempts,
      bool_or(t.state = 'waiting' and t.checkpoint_id is not null) as kept
    from rafiki.trial t where t.study_id = $1
    having exists (select from rafiki.trial o where o.study_id = $2 and o.state <> 'waiting')`;
  expect(await eventually(db, served, [busy, waiting])).toEqual({
    states: ['running', 'waiting'],
    attempts: 0,
    kept: true,
  });
});
