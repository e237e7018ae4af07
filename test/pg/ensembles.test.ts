import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { conclude } from '../../src/coordinator/conclude.ts';
import { selectDeployments } from '../../src/db/statements/serving/deployments.ts';
import { insertValidation, selectOpenStudies } from '../../src/db/statements/studies.ts';
import { insertTrial, selectTrials } from '../../src/db/statements/trials.ts';
import { dropKeptAnswers, insertVariant } from '../../src/db/statements/votes.ts';
import { classification } from '../../src/domain/kinds/classification.ts';
import type { TensorData } from '../../src/domain/tensor.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

const ROWS = 400;
const hash = Buffer.from('rows');
const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array | Float32Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

let database: TestDatabase;
let db: TestDatabase['db'];
let params: PostgresParamStore;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  params = new PostgresParamStore({ database: database.service, graceMs: 0 });
});
afterEach(() => database.drop());

/** What a member answers that sees the truth through noise, and is surer than it should be. */
function noisy(truth: Uint16Array, seed: number, noise: number) {
  const rng = createRng(seed);
  const data = new Float32Array(2 * ROWS);
  truth.forEach((label, row) => {
    const sure = 1 / (1 + Math.exp(-3 * ((label === 1 ? 1 : -1) + noise * rng.normal())));
    data.set([1 - sure, sure], 2 * row);
  });
  const answers: TensorData = { dtype: 'float32', shape: [ROWS, 2], data };
  const { score } = classification.score(answers, Int32Array.from(truth), { classes: ['neg', 'pos'] });
  const keptAnswers = bytesOf(classification.kept(answers));
  return { score, predictions: bytesOf(classification.ballots(answers) as Uint16Array), keptAnswers };
}

/** A study under way with a trial of each family; the first has a variant in 8 bits. */
async function endedTrials(families: readonly string[], noise: number): Promise<number> {
  await createReviews(db);
  const study = await insertStudy(db);
  await db.query(`update rafiki.study set state = 'running'`);
  const rng = createRng(1);
  const truth = Uint16Array.from({ length: ROWS }, () => rng.below(2));
  const labels = bytesOf(truth);
  await insertValidation(db, study, { hash, classes: ['neg', 'pos'], labels, trained: new BigInt64Array() });
  for (const [i, family] of families.entries()) {
    const trial = { studyId: study, number: i + 1, family, knobs: {}, seed: 1, initialWeights: 'random' } as const;
    await insertTrial(db, trial);
    const save = (): Promise<number> => params.save('model', { tensors: {}, meta: {} });
    const { score, predictions, keptAnswers } = noisy(truth, 7 + i, noise);
    const [row] = await db.query<{ id: number }>(
      `update rafiki.trial set state = 'completed', score = $1, params_id = $2, predictions = $3, kept_answers = $4, validation_hash = $5,
         ended_at = now() where number = $6 returning id`,
      [score, await save(), predictions, keptAnswers, hash, i + 1],
    );
    if (i > 0) continue;
    const variant = {
      trialId: row!.id,
      precision: 'int8',
      score,
      paramsId: await save(),
      predictions,
      keptAnswers,
    } as const;
    await insertVariant(db, variant);
  }
  return study;
}

async function concluded(study: number) {
  const [open] = await selectOpenStudies(db);
  await db.transaction(async (on) => conclude({ on, logger: silentLogger }, open!, await selectTrials(db, study)));
  const [deployment] = await selectDeployments(db);
  return deployment!;
}

describe('the model of a study', () => {
  test('is weighted where that is better out of fold, two trials of a family included', async () => {
    const study = await endedTrials(['fasttext', 'fasttext', 'temporal_cnn'], 1.2);
    const { rule, members, accuracies } = await concluded(study);
    expect(rule).toBe('weighted');
    const exact = members.filter(({ precision }) => precision === 'float32');
    expect(exact.map(({ family }) => family).sort()).toEqual(['fasttext', 'fasttext', 'temporal_cnn']);
    expect(exact.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 9);
    expect(exact.every(({ temperature }) => temperature > 1.1)).toBe(true);
    const [variant] = members.slice(exact.length);
    const original = exact[variant!.variantOf!];
    expect([variant!.weight, variant!.temperature]).toEqual([original!.weight, original!.temperature]);
    expect(accuracies).toHaveLength(2 ** members.length);
    const whole = accuracies![2 ** exact.length - 1]!;
    expect(accuracies!.filter((accuracy) => accuracy >= whole)).toHaveLength(1);
    const [shown] = await db.query<{ rule: string; weights: string[]; families: string }>(
      'select rule, weights, families from rafiki.models',
    );
    expect(shown!.weights.map(Number)).toEqual(exact.map(({ weight }) => Number(weight.toFixed(3))));
    expect(shown!.rule).toBe('weighted');
    expect(await db.query('select from rafiki.trial where kept_answers is not null')).toEqual([]);
  });

  test.each([
    ['vote', ['fasttext', 'temporal_cnn'], 2],
    ['best', ['fasttext', 'temporal_cnn'], 1],
    ['weighted', ['fasttext', 'temporal_cnn'], 2],
  ])('decides by the rule that its owner asks for: %s', async (rule, families, count) => {
    const study = await endedTrials(families, 1.2);
    await db.query('update rafiki.study set ensemble = $1', [rule]);
    const deployment = await concluded(study);
    expect(deployment.rule).toBe(rule);
    expect(deployment.members.filter(({ precision }) => precision === 'float32')).toHaveLength(count);
    const [weights] = await db.query<{ weights: string[] | null }>('select weights from rafiki.models');
    expect(weights!.weights === null).toBe(rule !== 'weighted');
  });

  test('votes if nothing was kept of its trials, as those of an earlier version', async () => {
    const study = await endedTrials(['fasttext', 'temporal_cnn'], 1.2);
    await db.query('update rafiki.trial set kept_answers = null');
    const { rule, members } = await concluded(study);
    expect([rule, members[0]?.temperature, members[0]?.weight]).toEqual(['vote', 1, 1]);
  });
});

test('answers are kept of the best trials of each family only', async () => {
  const study = await endedTrials(['fasttext', 'fasttext', 'fasttext', 'temporal_cnn'], 1.2);
  await dropKeptAnswers(db, study, 2);
  const kept = await db.query<{ family: string; count: number }>(
    'select family, count(*)::int as count from rafiki.trial where kept_answers is not null group by family order by family',
  );
  expect(kept).toEqual([
    { family: 'fasttext', count: 2 },
    { family: 'temporal_cnn', count: 1 },
  ]);
});

test('the rule is an argument of rafiki_train; another word is refused', async () => {
  await createReviews(db);
  const train = (rule: string) =>
    db.query('select rafiki_train($1, $2, ensemble => $3)', ['sentiment', 'reviews', rule]);
  await expect(train('majority')).rejects.toMatchObject({
    ...{ code: '22023', message: "ensemble must be 'best', 'vote' or 'weighted'" },
  });
  await train('weighted');
  expect(await db.query('select ensemble from rafiki.study')).toEqual([{ ensemble: 'weighted' }]);
});
