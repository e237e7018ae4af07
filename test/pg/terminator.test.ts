import { afterAll, beforeAll, expect, test } from 'vitest';
import { MIN_TRIALS } from '../../src/advisors/terminator.ts';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, eventually, insertStudy, studyEnd } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createReviews(db);
});
afterAll(() => database.drop());

/** A study in which twenty trials have ended with the same score, on four rows. */
async function studied(model: string): Promise<number> {
  const id = await insertStudy(db, { model, families: ['fasttext'], maxTrials: 100 });
  await db.query(
    `insert into rafiki.validation (study_id, hash, classes, labels) values ($1, '\\x01', '{a,b}', '\\x0000010000000100')`,
    [id],
  );
  await db.query(
    `with weights as (insert into rafiki.params (kind, meta) values ('model', '') returning id)
     insert into rafiki.trial (study_id, number, family, knobs, seed, state, epoch, score, params_id, predictions, validation_hash, ended_at)
     select $1, i, 'fasttext', jsonb_build_object('learning_rate', 0.001 * i), i, 'completed', 4, 0.75, w.id, '\\x0000010000000000', '\\x01', now()
     from generate_series(1, $2::int) i, weights w`,
    [id, MIN_TRIALS],
  );
  await db.query(
    `insert into rafiki.report (trial_id, epoch, attempt, step, loss, score, seconds) select id, 1, 0, 1, 1, score, 1 from rafiki.trial where study_id = $1`,
    [id],
  );
  return id;
}

test('a study ends with a notice when more trials are not worth their time; with the setting off it continues', async () => {
  const ends = await studied('ends');
  const goesOn = await studied('goes_on');
  await db.query('update rafiki.study set terminator = false where id = $1', [goesOn]);
  const coordinator = createCoordinator({ database: database.service, logger: createLogger('test', 'silent') });
  await coordinator.start();
  try {
    const end = await studyEnd(db, ends);
    expect(end).toMatchObject({ state: 'completed', version: 1 });
    expect(end.notice).toMatch(/^Ended after 20 of 100 trials: .* rafiki.terminator = off/);
    await eventually(db, 'select from rafiki.trial where study_id = $1 and number = $2', [goesOn, MIN_TRIALS + 1]);
    expect(await db.query('select ended_at from rafiki.study where id = $1', [goesOn])).toEqual([{ ended_at: null }]);
  } finally {
    await coordinator.stop();
  }
});
