import { afterEach, beforeEach, expect, test } from 'vitest';
import { conclude } from '../../src/coordinator/conclude.ts';
import { selectMemberParams } from '../../src/db/statements/models.ts';
import { selectDeployments } from '../../src/db/statements/serving/deployments.ts';
import { insertValidation, selectOpenStudies } from '../../src/db/statements/studies.ts';
import { insertTrial, selectTrials } from '../../src/db/statements/trials.ts';
import { insertVariant } from '../../src/db/statements/votes.ts';
import { unweighted } from '../../src/domain/ensembles/rule.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

const hash = Buffer.from('rows');
const bytesOf = (...classes: number[]): Buffer => Buffer.from(Uint16Array.from(classes).buffer);

let database: TestDatabase;
let db: TestDatabase['db'];
let params: PostgresParamStore;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  params = new PostgresParamStore({ database: database.service, graceMs: 0 });
});
afterEach(() => database.drop());

/** A study under way whose one trial has ended, and was right on three of four rows; its variant was right on two. */
async function trialWithVariant(): Promise<{ study: number; exact: number; quick: number }> {
  await createReviews(db);
  const study = await insertStudy(db);
  await db.query(`update rafiki.study set state = 'running'`);
  await insertValidation(db, study, {
    hash,
    classes: ['neg', 'pos'],
    labels: bytesOf(0, 1, 0, 1),
    trained: new BigInt64Array(),
  });
  await insertTrial(db, {
    studyId: study,
    number: 1,
    family: 'fasttext',
    knobs: {},
    seed: 1,
    initialWeights: 'random',
  });
  const save = (): Promise<number> => params.save('model', { tensors: {}, meta: {} });
  const [exact, quick] = [await save(), await save()];
  const [trial] = await db.query<{ id: number }>(
    `update rafiki.trial set state = 'completed', score = 0.75, params_id = $1, predictions = $2, validation_hash = $3,
       ended_at = now() returning id`,
    [exact, bytesOf(0, 1, 0, 0), hash],
  );
  const predictions = bytesOf(0, 1, 1, 0);
  await insertVariant(db, {
    trialId: trial!.id,
    precision: 'int8',
    score: 0.5,
    paramsId: quick,
    ...{ predictions, keptAnswers: null },
  });
  return { study, exact, quick };
}

test('a version has its members followed by their variants, and the accuracy of each subset', async () => {
  const { study, exact, quick } = await trialWithVariant();
  const [open] = await selectOpenStudies(db);
  const trials = await selectTrials(db, study);
  await db.transaction((on) => conclude({ on, logger: silentLogger }, open!, trials));

  const [deployment] = await selectDeployments(db);
  expect(deployment).toMatchObject({ score: 0.75, accuracies: [0, 0.75, 0.5, 0.75] });
  expect(deployment?.members).toEqual([
    {
      family: 'fasttext',
      precision: 'float32',
      paramsId: exact,
      encoderId: null,
      variantOf: null,
      ...unweighted(0.75),
    },
    { family: 'fasttext', precision: 'int8', paramsId: quick, encoderId: null, variantOf: 0, ...unweighted(0.5) },
  ]);
  expect(await selectMemberParams(db, deployment!.versionId)).toEqual([
    { id: exact, rule: 'vote', ...unweighted(0.75) },
  ]);
  expect(await db.query('select families from rafiki.models')).toEqual([{ families: 'fasttext' }]);
});

test('the parameters of a variant are kept while its study runs, and as long as a version has it', async () => {
  const { study, exact, quick } = await trialWithVariant();
  const kept = async (): Promise<number[]> => {
    await params.collectGarbage();
    return (await db.query<{ id: number }>('select id from rafiki.params order by id')).map(({ id }) => id);
  };
  expect(await kept()).toEqual([exact, quick]);
  const [open] = await selectOpenStudies(db);
  const trials = await selectTrials(db, study);
  await db.transaction((on) => conclude({ on, logger: silentLogger }, open!, trials));
  expect(await db.query('select from rafiki.trial_variant')).toEqual([]);
  expect(await kept()).toEqual([exact, quick]);
  await db.query('delete from rafiki.model');
  await db.query('update rafiki.trial set params_id = null');
  expect(await kept()).toEqual([]);
});

test('members that answer numbers are those whose mean is best, with the score of each subset', async () => {
  await createReviews(db);
  const study = await insertStudy(db);
  await db.query(`update rafiki.study set state = 'running', task = 'text_regression', metric = 'r2'`);
  const floats = (...numbers: number[]): Buffer => Buffer.from(Float32Array.from(numbers).buffer);
  await insertValidation(db, study, {
    hash,
    classes: [],
    labels: floats(1, 2, 3, 6),
    trained: new BigInt64Array(),
  });
  const score = 1 - 4 / 14;
  for (const [family, predictions] of [
    ['fasttext', floats(2, 3, 4, 7)],
    ['temporal_cnn', floats(0, 1, 2, 5)],
    ['char_rnn', floats(0, 1, 2, 5)],
  ] as const) {
    const number = ['fasttext', 'temporal_cnn', 'char_rnn'].indexOf(family) + 1;
    await insertTrial(db, { studyId: study, number, family, knobs: {}, seed: 1, initialWeights: 'random' });
    await db.query(
      `update rafiki.trial set state = 'completed', score = $1, params_id = $2, predictions = $3, validation_hash = $4, ended_at = now()
       where number = $5`,
      [score, await params.save('model', { tensors: {}, meta: {} }), predictions, hash, number],
    );
  }
  const [open] = await selectOpenStudies(db);
  await db.transaction(async (on) => conclude({ on, logger: silentLogger }, open!, await selectTrials(db, study)));
  const [deployment] = await selectDeployments(db);
  expect(deployment?.members.map(({ family }) => family)).toEqual(['fasttext', 'temporal_cnn']);
  expect(deployment?.score).toBe(1);
  expect(deployment?.accuracies).toEqual([0, expect.closeTo(score), expect.closeTo(score), 1]);
  expect(await db.query('select judged_rows from rafiki.model_version')).toEqual([{ judged_rows: 4 }]);
});
