import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import type { Database } from '../../src/db/database.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { type Service, startAll, stopAll } from '../../src/runtime/service.ts';
import { createWorker } from '../../src/worker/create-worker.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews, insertStudy, studyEnd } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createReviews(db, 40);
});
afterEach(() => database.drop());

/** A model with a version that answers, as a study of `source` would have left it. */
async function createModel(name: string, { source = 'reviews', task = 'sentiment', classes = ['neg', 'pos'] } = {}) {
  await db.query(
    `with study as (
       insert into rafiki.study (owner, task, source, model, target, features, max_trials, max_time, validation, seed, state, version)
       values (current_user::regrole, $2, $3::text::regclass, $1, 'label', '{body}', 1, '1 min', 0.2, 1, 'completed', 1)
       returning id),
     model as (insert into rafiki.model (name, owner, task) values ($1, current_user::regrole, $2) returning id),
     version as (insert into rafiki.model_version (model_id, version, study_id, score, classes)
                 select model.id, 1, study.id, 0.9, $4 from model, study returning *)
     insert into rafiki.deployment (model_id, version_id, state) select model_id, id, 'ready' from version`,
    [name, task, source, classes],
  );
}

describe('the name of a model', () => {
  test('is not used for another table of the same name, unless model => is given', async () => {
    await createModel('reviews_sentiment');
    await db.query('create schema other; create table other.reviews as table reviews');
    expect(await failureOf(db, `select rafiki_train('sentiment', 'other.reviews')`)).toMatchObject({
      code: '42710',
      message: 'model "reviews_sentiment" learns from public.reviews',
      hint: expect.stringContaining(`model => 'other_reviews_sentiment'`),
    });
    expect(await db.query(`select from rafiki.study where state = 'queued'`)).toEqual([]);
    await db.query(`select rafiki_train('sentiment', 'reviews')`);
    await db.query(`select rafiki_train('sentiment', 'other.reviews', model => 'other_reviews_sentiment')`);
    expect(await db.query(`select model from rafiki.study where state = 'queued' order by id`)).toEqual([
      { model: 'reviews_sentiment' },
      { model: 'other_reviews_sentiment' },
    ]);
  });

  test('can be used for a table that was dropped and created again', async () => {
    await createModel('reviews_sentiment');
    await db.query('alter table reviews rename to old; create table reviews as table old; drop table old');
    await db.query(`select rafiki_train('sentiment', 'reviews')`);
    expect(await db.query(`select model from rafiki.study where state = 'queued'`)).toEqual([
      { model: 'reviews_sentiment' },
    ]);
  });
});

describe('a model of other classes or another task', () => {
  const other = `create table moods as select body, case label when 'pos' then 'merry' else 'sad' end as label from reviews`;

  test('does not replace a deployed one, unless replace => true is given', async () => {
    await createModel('m');
    await db.query(other);
    expect(await failureOf(db, `select rafiki_train('sentiment', 'moods', model => 'm')`)).toMatchObject({
      code: '55000',
      message: 'model "m" knows classes that public.moods does not have',
      detail: expect.stringMatching(/"neg", "pos"/),
      hint: expect.stringContaining('replace => true'),
    });
    await db.query(`select rafiki_train('sentiment', 'moods', model => 'm', replace => true)`);
    expect(await db.query(`select model from rafiki.study where state = 'queued'`)).toEqual([{ model: 'm' }]);
  });

  test('may have more classes', async () => {
    await createModel('m');
    await db.query(`update reviews set label = 'other' where id % 5 = 0`);
    await db.query(`select rafiki_train('sentiment', 'reviews', model => 'm')`);
    expect(await db.query(`select model from rafiki.study where state = 'queued'`)).toEqual([{ model: 'm' }]);
  });

  test('is refused for another task when it is requested, not after training', async () => {
    await createModel('m', { task: 'text_classification' });
    expect(await failureOf(db, `select rafiki_train('sentiment', 'reviews', model => 'm')`)).toMatchObject({
      code: '55000',
      message: 'model "m" is one for text_classification',
      hint: expect.stringContaining('replace => true'),
    });
    await db.query(`select rafiki_train('sentiment', 'reviews', model => 'm', replace => true)`);
  });
});

describe('with coordinator and worker', () => {
  let cacheDir: string;
  let services: Service[];
  beforeEach(async () => {
    cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
    services = [
      createCoordinator({ database: database.service, logger }),
      createWorker({ database: database.service, threads: 1, cores: 2, cacheDir, logger }),
    ];
    await startAll(services);
  });
  afterEach(async () => {
    await stopAll(services);
    rmSync(cacheDir, { recursive: true });
  });
  const good = { families: ['fasttext'], knobs: { epochs: 20, learning_rate: 0.05 }, maxTrials: 1 };
  const bad = {
    ...good,
    knobs: { epochs: 4, learning_rate: 1e-3, dim: 16, dropout: 0.6, word_dropout: 0.6, weight_decay: 2 },
  };

  test('a version that is still being loaded is not replaced by a worse one', async () => {
    await createReviewsAnew(60);
    await studyEnd(db, await insertStudy(db, good));
    const end = await studyEnd(db, await insertStudy(db, bad));
    expect(end).toMatchObject({
      ...{ state: 'completed', version: 2 },
      notice: expect.stringMatching(/not deployed: on the same rows it is worse/),
    });
    expect(
      await db.query(
        `select v.version, d.state from rafiki.deployment d join rafiki.model_version v on v.id = d.version_id`,
      ),
    ).toEqual([{ version: 1, state: 'loading' }]);
  });

  test('one for another task replaces it if replace => true is given, and the old versions cannot be deployed', async () => {
    await createReviewsAnew(60);
    await studyEnd(db, await insertStudy(db, good));
    const refused = await studyEnd(db, await insertStudy(db, { ...good, task: 'text_classification' }));
    expect(refused).toMatchObject({ state: 'failed', error: { message: expect.stringContaining('was taken') } });
    const end = await studyEnd(db, await insertStudy(db, { ...bad, task: 'text_classification', replace: true }));
    expect(end).toMatchObject({ state: 'completed', version: 2 });
    expect(await db.query('select task from rafiki.model')).toEqual([{ task: 'text_classification' }]);
    expect(
      await db.query(
        `select v.version, d.state from rafiki.deployment d join rafiki.model_version v on v.id = d.version_id order by 1`,
      ),
    ).toEqual([
      { version: 1, state: 'retired' },
      { version: 2, state: 'loading' },
    ]);
    expect(await failureOf(db, `select rafiki_deploy('m', 1)`)).toMatchObject({
      ...{ code: '55000', message: 'version 1 of model "m" is for another task' },
    });
  });

  test('a source whose code finds its functions by a search path fails with a hint', async () => {
    await db.query(`
      create function shout(body text) returns text language sql as 'select upper(body)';
      create function loud(body text) returns text language plpgsql as 'begin return shout(body); end';
      create view loud_reviews as select label, loud(body) as body from reviews`);
    const end = await studyEnd(db, await insertStudy(db, { ...good, source: 'loud_reviews' }));
    expect(end.error).toMatchObject({
      ...{ sqlstate: '42883', message: expect.stringContaining('shout(text) does not exist') },
      ...{ detail: expect.stringContaining('search path'), hint: expect.stringContaining('alter function') },
    });
  });

  const createReviewsAnew = async (rows: number): Promise<void> => {
    await db.query('drop table reviews');
    await createReviews(db, rows);
  };
});
