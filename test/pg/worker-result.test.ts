import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type ClaimedTrial, claimTrial } from '../../src/db/statements/claims.ts';
import { insertProcess } from '../../src/db/statements/processes.ts';
import { insertTrial } from '../../src/db/statements/trials.ts';
import type { TrainedModel, TrainedVariant } from '../../src/domain/training.ts';
import { StoreUnreachable } from '../../src/errors/errors.ts';
import { unpackModel } from '../../src/params/model-codec.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { storeResult } from '../../src/worker/result.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
let params: PostgresParamStore;
let trial: ClaimedTrial;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  params = new PostgresParamStore({ database: database.service, graceMs: 0 });
  await createReviews(db);
  const studyId = await insertStudy(db);
  await insertTrial(db, { studyId, number: 1, family: 'resnet', knobs: {}, seed: 1, initialWeights: 'random' });
  const worker = await insertProcess(db, { kind: 'worker', host: 'h', pid: 1, threads: 1, version: '0' });
  trial = (await claimTrial(db, worker, { families: ['resnet'] }))!;
});
afterEach(async () => {
  vi.restoreAllMocks();
  await database.drop();
});

const modelOf = (byte: number): TrainedModel => ({
  onnx: Uint8Array.of(byte),
  features: { encoder: 'pixels', classes: ['a', 'b'], state: {} },
});
const int8: TrainedVariant = {
  precision: 'int8',
  score: 0.5,
  gain: 2,
  model: modelOf(8),
  predictions: Uint16Array.of(0, 0),
  kept: new Float32Array(0),
};

const never = new AbortController().signal;
const store = (variants: TrainedVariant[], signal = never): Promise<void> =>
  storeResult(
    trial,
    {
      result: {
        ...{ state: 'completed', score: 1, metrics: {}, epochs: 3, seconds: 4 },
        ...{ model: modelOf(32), predictions: Uint16Array.of(0, 1), kept: Float32Array.of(1, 0, 0.25, 0.75), variants },
      },
      validated: {
        hash: Uint8Array.of(1),
        classes: ['a', 'b'],
        labels: Uint16Array.of(0, 1),
        trained: BigInt64Array.of(-7n, 7n),
      },
    },
    { database: database.service, params, signal, logger: silentLogger },
  );

const stored = (): Promise<{ precision: string; score: number; id: number; votes: Buffer }[]> =>
  db.query('select precision, score, params_id as id, predictions as votes from rafiki.trial_variant');

test('a trial ends with its model and a variant in 8 bits with its own score and votes', async () => {
  await store([int8]);
  const [row] = await db.query<{ state: string; score: number; id: number; kept: Buffer }>(
    'select state, score, params_id as id, kept_answers as kept from rafiki.trial',
  );
  expect(row).toMatchObject({ state: 'completed', score: 1 });
  expect(new Float32Array(new Uint8Array(row!.kept).buffer)).toEqual(Float32Array.of(1, 0, 0.25, 0.75));
  expect(unpackModel(await params.load(row!.id)).onnx).toEqual(Uint8Array.of(32));
  const [variant, ...others] = await stored();
  expect(others).toEqual([]);
  expect(variant).toMatchObject({ precision: 'int8', score: 0.5, votes: Buffer.from([0, 0, 0, 0]) });
  expect(unpackModel(await params.load(variant!.id)).onnx).toEqual(Uint8Array.of(8));
});

test('a late result is not stored, nor its parameters', async () => {
  await db.query('update rafiki.trial set attempt = attempt + 1');
  await store([int8]);
  expect(await stored()).toEqual([]);
  expect(await db.query('select state, score from rafiki.trial')).toEqual([{ state: 'running', score: null }]);
});

/** The store of parameters is out of order for ten hours, in which the coordinator deletes what no trial refers to. */
function interrupt(at: TrainedModel): void {
  const save = params.save.bind(params);
  let isOver = false;
  const startedMs = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => startedMs + (isOver ? 10 * 3_600_000 : 0));
  vi.spyOn(params, 'save').mockImplementation(async (kind, set, options) => {
    if (isOver || !Buffer.from(at.onnx).equals(Buffer.from(unpackModel(set).onnx))) return save(kind, set, options);
    isOver = true;
    await params.collectGarbage();
    throw new StoreUnreachable('S3 does not answer');
  });
}

test.each([
  ['before its model is stored', 32],
  ['before a variant is stored', 8],
])('a result waits for the end of an outage of hours, %s', async (_, byte) => {
  interrupt(modelOf(byte));
  await store([int8]);
  expect(await db.query('select state, score from rafiki.trial')).toEqual([{ state: 'completed', score: 1 }]);
  expect(await stored()).toHaveLength(1);
});

test('but not when another worker has the trial', async () => {
  interrupt(modelOf(32));
  await expect(store([int8], AbortSignal.abort())).rejects.toBeInstanceOf(StoreUnreachable);
});
