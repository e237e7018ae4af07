import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import { selectMemberParams } from '../../src/db/statements/models.ts';
import { selectDeployments } from '../../src/db/statements/serving/deployments.ts';
import { unpackModel } from '../../src/params/model-codec.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { startAll, stopAll } from '../../src/runtime/service.ts';
import { createWorker } from '../../src/worker/create-worker.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, studyEnd } from '../support/studies.ts';

const logger = createLogger('test', 'silent');
let database: TestDatabase;
let db: TestDatabase['db'];
let study: number;

const train = async (options = ''): Promise<number> => {
  const [made] = await db.query<{ id: number }>(
    `select rafiki_train('sentiment', 'reviews', families => '{fasttext}', knobs => '{"epochs": 4}', max_trials => 2${options})::int8 as id`,
  );
  expect(await studyEnd(db, made!.id)).toMatchObject({ state: 'completed' });
  return made!.id;
};

beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  const cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
  await createReviews(db);
  const services = [
    createCoordinator({ database: database.service, logger }),
    createWorker({ database: database.service, threads: 1, cores: 2, cacheDir, logger }),
  ];
  await startAll(services);
  study = await train();
  return async () => {
    await stopAll(services);
    rmSync(cacheDir, { recursive: true });
  };
});
afterAll(() => database.drop());

describe('a study that trains its members again on all rows', () => {
  test('has one more trial, which has no score and does not count', async () => {
    expect(
      await db.query(
        'select number, state, score is null as unscored, refits is null as counts from rafiki.trial order by number',
      ),
    ).toEqual([
      { number: 1, state: 'completed', unscored: false, counts: true },
      { number: 2, state: 'completed', unscored: false, counts: true },
      { number: 3, state: 'completed', unscored: true, counts: false },
    ]);
    expect(await db.query('select done::int, total from rafiki.studies')).toEqual([{ done: 2, total: 2 }]);
    expect(
      await db.query('select from rafiki.report r join rafiki.trial t on t.id = r.trial_id where t.number = 3'),
    ).toEqual([]);
  });

  test('answers with the new weights, and compares versions by those that were scored', async () => {
    const [deployment] = await selectDeployments(database.service);
    const answering = deployment?.members[0]?.paramsId ?? 0;
    const [{ id: scored } = { id: 0 }] = await selectMemberParams(db, deployment!.versionId);
    expect(answering).not.toBe(scored);
    const store = new PostgresParamStore({ database: database.service, graceMs: 0 });
    await store.collectGarbage();
    const [a, b] = [unpackModel(await store.load(answering)), unpackModel(await store.load(scored))];
    expect(Buffer.compare(a.onnx, b.onnx)).not.toBe(0);
  });

  test('shows that all rows were trained on', async () => {
    const [row] = await db.query<{ trained: number; scored: number }>(
      `select (select cardinality(trained) from rafiki.trained_inputs) as trained,
         (select cardinality(trained) from rafiki.validation) as scored`,
    );
    expect(row?.trained).toBe(200);
    expect(row?.scored).toBeLessThan(180);
  });

  test('does so in the report, too', async () => {
    const report = await db.query<{ detail: string }>(
      `select detail from rafiki_report($1) where part = 'training' and trial = 3`,
      [study],
    );
    expect(report[0]?.detail).toMatch(/^fasttext, on all rows, \d+ epochs, completed$/);
  });
});

test('with rafiki.refit off, or rows of the owner’s choice, no member is trained again', async () => {
  await db.query('alter table reviews add held boolean');
  await db.query('update reviews set held = id > 150');
  const chosen = await train(`, model => 'chosen', validation_split => 'held'`);
  const [made] = await db.transaction(async (tx) => {
    await tx.query(`set local rafiki.refit = off`);
    return tx.query<{ id: number }>(
      `select rafiki_train('sentiment', 'reviews', model => 'off', families => '{fasttext}', knobs => '{"epochs": 4}', max_trials => 1,
         target => 'label', features => '{body}')::int8 as id`,
    );
  });
  expect(await studyEnd(db, made!.id)).toMatchObject({ state: 'completed' });
  expect(
    await db.query('select from rafiki.trial where refits is not null and study_id = any ($1)', [[chosen, made!.id]]),
  ).toEqual([]);
});
