import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import type { Knobs } from '../../src/domain/hyper-space.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import type { Service } from '../../src/runtime/service.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, eventually, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
let coordinator: Service;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createReviews(db, 10);
  coordinator = createCoordinator({ database: database.service, logger: createLogger('test', 'silent') });
});
afterEach(async () => {
  await coordinator.stop();
  await database.drop();
});

/** A completed study, with the best score of each family. */
async function earlier(
  source: string,
  scores: Record<string, number>,
  { knobs = {}, ...study }: { knobs?: Knobs; fixed?: Knobs; owner?: string } = {},
): Promise<void> {
  const { fixed = {}, ...fields } = study;
  const id = await insertStudy(db, { model: `m${Math.random()}`, source, knobs: fixed, ...fields });
  for (const [i, [family, score]] of Object.entries(scores).entries()) {
    await db.query(
      `insert into rafiki.trial (study_id, number, family, knobs, seed, state, score, ended_at)
       values ($1, $2, $3, $4, 1, 'completed', $5, now())`,
      [id, i + 1, family, JSON.stringify(knobs), score],
    );
  }
  await db.query(`update rafiki.study set state = 'completed', started_at = now(), ended_at = now() where id = $1`, [
    id,
  ]);
}

async function firstTrial(id: number): Promise<{ family: string; knobs: Knobs }> {
  await coordinator.start();
  await eventually(db, `select from rafiki.trial where study_id = ${id}`);
  const [trial] = await db.query<{ family: string; knobs: Knobs }>(
    'select family, knobs from rafiki.trial where study_id = $1 and number = 1',
    [id],
  );
  return trial!;
}

test('the family and the knobs that were best on the same source are tried first', async () => {
  await earlier('reviews', { fasttext: 0.7, temporal_cnn: 0.8 }, { knobs: { learning_rate: 0.0123 } });
  const trial = await firstTrial(await insertStudy(db));
  expect(trial).toMatchObject({ family: 'temporal_cnn', knobs: { learning_rate: 0.0123 } });
});

test('knobs that the owner had fixed, and studies of a single family, do not count', async () => {
  await earlier('reviews', { temporal_cnn: 0.9 });
  await earlier(
    'reviews',
    { fasttext: 0.8, temporal_cnn: 0.7 },
    { knobs: { learning_rate: 0.0123 }, fixed: { learning_rate: 0.0123 } },
  );
  const { family, knobs } = await firstTrial(await insertStudy(db));
  expect(family).toBe('fasttext');
  expect(knobs['learning_rate']).not.toBe(0.0123);
});

test('nor do those of another role', async () => {
  const alice = await database.as('alice');
  const [other] = await alice.query<{ role: string }>('select current_user as role');
  await db.query('grant select on reviews to public');
  await earlier('reviews', { fasttext: 0.7, temporal_cnn: 0.8 }, { owner: other!.role });
  expect(await firstTrial(await insertStudy(db))).toMatchObject({ family: 'linear_text' });
});

test('other sources decide the order of the families only, and only if three agree', async () => {
  await db.query('create table others as select * from reviews');
  for (const count of [2, 3]) {
    await earlier('others', { fasttext: 0.7, temporal_cnn: 0.8 }, { knobs: { learning_rate: 0.0123 } });
    if (count === 2) await earlier('others', { fasttext: 0.6, temporal_cnn: 0.9 });
  }
  const { family, knobs } = await firstTrial(await insertStudy(db));
  expect(family).toBe('temporal_cnn');
  expect(knobs['learning_rate']).not.toBe(0.0123);
});

test('two of another source do not', async () => {
  await db.query('create table others as select * from reviews');
  await earlier('others', { fasttext: 0.7, temporal_cnn: 0.8 });
  await earlier('others', { fasttext: 0.7, temporal_cnn: 0.8 });
  expect(await firstTrial(await insertStudy(db))).toMatchObject({ family: 'linear_text' });
});

test('a study with a seed does not depend on earlier ones', async () => {
  await earlier('reviews', { fasttext: 0.7, temporal_cnn: 0.8 }, { knobs: { learning_rate: 0.0123 } });
  const [study] = await db.query<{ id: number }>(
    `select rafiki_train('sentiment', 'reviews', model => 'seeded', seed => 5)::int8 as id`,
  );
  expect(await firstTrial(study!.id)).toMatchObject({ family: 'linear_text' });
});
