import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import { insertObject } from '../../src/db/statements/blobs.ts';
import { selectMemberParams } from '../../src/db/statements/models.ts';
import type { ParamSet } from '../../src/domain/tensor.ts';
import {
  CorruptParams,
  EnvironmentUnfit,
  InvalidState,
  StoreUnreachable,
  UndefinedObject,
} from '../../src/errors/errors.ts';
import { createParamStore } from '../../src/params/create-param-store.ts';
import { unpackModel } from '../../src/params/model-codec.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { type BucketOptions, openBucket } from '../../src/params/s3.ts';
import { DiskCache } from '../../src/runtime/disk/disk-cache.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { startAll, stopAll } from '../../src/runtime/service.ts';
import { createWorker } from '../../src/worker/create-worker.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type S3Server, startS3 } from '../support/s3-server.ts';
import { createReviews, insertStudy, studyEnd } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
let s3: S3Server;
let cacheDir: string;

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  s3 = await startS3();
  cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
});
afterEach(async () => {
  await s3.stop();
  await database.drop();
  rmSync(cacheDir, { recursive: true });
});

const store = (bucket: BucketOptions = s3.options, graceMs = 600_000): PostgresParamStore =>
  new PostgresParamStore({
    database: database.service,
    objects: openBucket(bucket),
    disk: new DiskCache({ dir: cacheDir, maxBytes: 2 ** 20 }),
    graceMs,
  });
const withoutDisk = (): PostgresParamStore =>
  new PostgresParamStore({ database: database.service, objects: openBucket(s3.options) });
const inPostgres = (graceMs = 600_000): PostgresParamStore =>
  new PostgresParamStore({ database: database.service, graceMs });

const sample = (last = 3): ParamSet => ({
  tensors: {
    w: { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, -2.5, 3, last) },
    same: { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, -2.5, 3, last) },
    ids: { dtype: 'int64', shape: [2], data: BigInt64Array.of(-(2n ** 62n), 7n) },
  },
  meta: { steps: 12 },
});

/** One folder for each object, named by its hash. */
const objects = (): string[] =>
  existsSync(s3.dir) ? readdirSync(s3.dir).filter((name) => /^[0-9a-f]{64}$/.test(name)) : [];
const blobs = (): Promise<{ here: boolean }[]> =>
  db.query('select data is not null as here from rafiki.blob order by hash');

describe('parameters in S3', () => {
  test('are loaded as they were saved; Postgres has the rows, the bucket has each content once', async () => {
    const id = await store().save('checkpoint', sample());
    expect(await withoutDisk().load(id)).toEqual(sample());
    expect(await blobs()).toEqual([{ here: false }, { here: false }]);
    expect(objects()).toHaveLength(2);
    await store().save('model', sample(4));
    expect(objects()).toHaveLength(3);
  });

  test('are read from disk the second time, and from S3 again if the file is damaged', async () => {
    const id = await store().save('model', sample());
    await store().load(id);
    const files = readdirSync(cacheDir);
    expect(files.sort()).toEqual(objects().sort());
    for (const file of files) writeFileSync(path.join(cacheDir, file), 'damaged');
    expect(await store().load(id)).toEqual(sample());
    rmSync(s3.dir, { recursive: true });
    expect(await store().load(id)).toEqual(sample());
    await expect(withoutDisk().load(id)).rejects.toThrow(UndefinedObject);
  });

  test('are refused if the bytes in S3 are not the stored ones, and not kept on disk', async () => {
    const id = await store().save('model', sample());
    const other = Buffer.from('other bytes');
    const keys = `select encode(hash, 'hex') || '/' || object_id as key from rafiki.blob`;
    for (const { key } of await db.query<{ key: string }>(keys)) {
      await openBucket(s3.options).put(key, other, createHash('sha256').update(other).digest());
    }
    await expect(store().load(id)).rejects.toThrow(CorruptParams);
    expect(readdirSync(cacheDir)).toEqual([]);
  });

  test('and older ones in Postgres can be read together', async () => {
    const before = await inPostgres().save('model', sample());
    const after = await store().save('model', sample(4)); // shares one tensor, which stays where it is
    expect(objects()).toHaveLength(1);
    expect([await store().load(before), await store().load(after)]).toEqual([sample(), sample(4)]);
    await expect(inPostgres().load(after)).rejects.toThrow(EnvironmentUnfit);
  });

  test('cannot be written with a wrong secret', async () => {
    const error: unknown = await store({ ...s3.options, secretAccessKey: 'guessed' })
      .save('model', sample())
      .catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(EnvironmentUnfit);
    expect(error).toMatchObject({ detail: expect.stringMatching(/403 SignatureDoesNotMatch/) });
    expect(await db.query('select from rafiki.params')).toEqual([]);
  });

  test('are refused by S3 if other bytes arrive than were sent', async () => {
    const sent = openBucket(s3.options).put(
      'key',
      Buffer.from('damaged'),
      createHash('sha256').update('whole').digest(),
    );
    await expect(sent).rejects.toThrow(EnvironmentUnfit);
    expect(await openBucket(s3.options).get('key')).toBeUndefined();
  });

  test('are requested again later if S3 is unreachable', async () => {
    const away = { ...s3.options, endpoint: 'http://127.0.0.1:1' };
    await expect(store(away).save('model', sample())).rejects.toThrow(StoreUnreachable);
  });
});

describe('garbage collection', () => {
  test('deletes unreferenced objects in S3, and those of a killed process', async () => {
    const graceless = store(s3.options, 0);
    await graceless.save('checkpoint', sample());
    const [kept] = await db.query<{ hash: Buffer }>('select hash from rafiki.object order by hash limit 1');
    await insertObject(db, kept!.hash); // written down, never uploaded
    expect(await store().collectObjects()).toBe(0); // its upload may be under way, and the bucket gets its marker
    expect(await store().collectObjects()).toBe(0);
    expect(await graceless.collectObjects()).toBe(1);
    expect(objects()).toHaveLength(2);
    expect(await inPostgres(0).collectGarbage()).toEqual({ params: 1, blobs: 2 });
    expect(await inPostgres(0).collectObjects()).toBe(0); // knows no bucket
    expect(await store().collectObjects()).toBe(2); // immediately: they were referenced before
    expect(objects().flatMap((folder) => readdirSync(path.join(s3.dir, folder)))).toEqual([]);
    expect(await db.query('select from rafiki.object')).toEqual([]);
  });

  test('keeps a tensor that was saved again, although its older object is deleted', async () => {
    const graceless = store(s3.options, 0);
    await graceless.save('checkpoint', sample());
    await inPostgres(0).collectGarbage();
    const id = await graceless.save('checkpoint', sample());
    expect([await graceless.collectObjects(), await graceless.collectObjects()]).toEqual([0, 2]);
    expect(await withoutDisk().load(id)).toEqual(sample());
  });

  test('a copy of the database deletes none of the objects of its original, until it takes its place', async () => {
    const id = await store().save('model', sample());
    expect(await store().collectObjects()).toBe(0);
    const copy = await createTestDatabase();
    try {
      const rows = await db.query<{ object: unknown }>('select to_jsonb(o) as object from rafiki.object o');
      const restore = 'insert into rafiki.object select * from jsonb_populate_record(null::rafiki.object, $1)';
      for (const { object } of rows) await copy.db.query(restore, [JSON.stringify(object)]);
      const ofCopy = new PostgresParamStore({
        database: copy.service,
        objects: openBucket(s3.options),
        graceMs: 0,
      });
      await expect(ofCopy.collectObjects()).rejects.toMatchObject({
        sqlstate: '55000',
        hint: expect.stringContaining('delete the object rafiki-database'),
      });
      expect(await copy.db.query('select from rafiki.object')).toHaveLength(2);
      expect(await withoutDisk().load(id)).toEqual(sample());

      await openBucket(s3.options).delete('rafiki-database');
      expect([await ofCopy.collectObjects(), await ofCopy.collectObjects()]).toEqual([0, 2]);
      await expect(store().collectObjects()).rejects.toThrow(InvalidState); // it has been replaced
    } finally {
      await copy.drop();
    }
  });
});

test('a study stores its model in S3, from which the server loads it', async () => {
  const storage = { bucket: s3.options, cacheDir };
  await createReviews(db);
  const services = [
    createCoordinator({ database: database.service, ...storage, logger }),
    createWorker({ database: database.service, threads: 1, cores: 2, ...storage, logger }),
  ];
  await startAll(services);
  try {
    const id = await insertStudy(db, { families: ['fasttext'], maxTrials: 1 });
    expect(await studyEnd(db, id)).toMatchObject({ state: 'completed', version: 1, error: null });
  } finally {
    await stopAll(services);
  }
  expect((await blobs()).filter(({ here }) => here)).toEqual([]);
  const [version] = await db.query<{ id: number }>('select id from rafiki.model_version');
  const serving = createParamStore(db, storage);
  for (const { id } of await selectMemberParams(db, version!.id)) {
    expect(unpackModel(await serving.load(id)).onnx.length).toBeGreaterThan(1000);
  }
});
