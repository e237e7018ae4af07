import { afterEach, beforeEach, expect, test } from 'vitest';
import { selectTrials } from '../../src/db/statements/trials.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterEach(() => database.drop());

test('of a study of many trials all scores are read of the open ones, the last ones, and the best ones', async () => {
  await createReviews(db, 10);
  const studyId = await insertStudy(db);
  await db.query(
    `with made as (
       insert into rafiki.trial (study_id, number, family, knobs, seed, state, epoch, score, ended_at)
       select $1, n, case when n % 2 = 0 then 'fasttext' else 'char_rnn' end, '{}', 1, case when n = 1 then 'running' else 'completed' end, 3,
         case when n = 9 then null when n = 8 then 0.9 else 0.5 end, case when n > 1 then now() end
       from generate_series(1, 300) n returning id, score
     ) insert into rafiki.report (trial_id, epoch, attempt, step, loss, score, metrics, seconds)
       select id, epoch, 0, epoch, 1, score - (3 - epoch) * 0.1, '{}', epoch from made, generate_series(1, 3) epoch where score is not null`,
    [studyId],
  );
  const trials = await selectTrials(db, studyId);
  const scores = (number: number): number[] | undefined => trials.find((trial) => trial.number === number)?.scores;
  expect(trials.map(({ number }) => number)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  expect([1, 2, 8, 9, 300].map((number) => scores(number)?.length)).toEqual([3, 3, 3, 0, 3]);
  expect(scores(100)).toEqual([0.5]);
  expect(trials.filter((trial) => trial.scores.length > 1).length).toBeLessThan(210);
});
