import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import { type Service, startAll, stopAll } from '../../src/runtime/service.ts';
import { createWorker } from '../../src/worker/create-worker.ts';
import { createDatabaseWithoutRefits, type TestDatabase } from '../support/postgres.ts';
import { createReviews, eventually, insertStudy, studyEnd } from '../support/studies.ts';

let database: TestDatabase;
let cacheDir: string;
let services: Service[];
/** How often a worker has joined a trial. */
let joins: number;

const logger = pino(
  { level: 'info' },
  new Writable({
    write(line: Buffer, _, done) {
      if (line.includes('joined a trial of another worker')) joins++;
      done();
    },
  }),
);

beforeEach(async () => {
  joins = 0;
  database = await createDatabaseWithoutRefits();
  cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-joins-'));
  const worker = () => createWorker({ database: database.service, threads: 1, cores: 2, cacheDir, logger });
  services = [createCoordinator({ database: database.service, logger }), worker(), worker(), worker()];
});
afterEach(async () => {
  await stopAll(services);
  await database.drop();
  rmSync(cacheDir, { recursive: true });
});

test('of the workers that have joined a trial, one leaves for a trial that waits', async () => {
  const { db } = database;
  await createReviews(db, 20_000);
  await db.query('create table few as select * from reviews where id <= 100');
  const families = ['char_rnn'];
  const knobs = { epochs: 16, hidden: 128 };
  const joint = await insertStudy(db, { model: 'joint', families, knobs, maxTrials: 1, maxTime: '1 hour' });
  await db.query('update rafiki.study set workers_per_trial = 3 where id = $1', [joint]);
  await startAll(services);
  const team = 'select where (select count(*) from rafiki.trial_worker where lease_until > now()) = 2';
  await eventually(db, team);
  const other = await insertStudy(db, { model: 'other', source: 'few', families: ['fasttext'], maxTrials: 1 });
  expect(await studyEnd(db, other)).toMatchObject({ state: 'completed' });
  await eventually(db, team);
  expect(joins).toBe(3);
  expect(await db.query('select state from rafiki.study where id = $1', [joint])).toEqual([{ state: 'running' }]);
});
