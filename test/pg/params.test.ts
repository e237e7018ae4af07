import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { claimTrial } from '../../src/db/statements/claims.ts';
import { insertProcess } from '../../src/db/statements/processes.ts';
import { insertTrial, setCheckpoint } from '../../src/db/statements/trials.ts';
import { MAX_STORED_TENSOR_BYTES, type ParamSet } from '../../src/domain/tensor.ts';
import { CorruptParams, DataTooLarge, UndefinedObject } from '../../src/errors/errors.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
});
afterEach(() => database.drop());

const store = (graceMs?: number): PostgresParamStore =>
  new PostgresParamStore({ database: database.service, ...(graceMs === undefined ? {} : { graceMs }) });

const weights = { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, -2.5, 3, Number.MIN_VALUE) } as const;
const sample = (): ParamSet => ({
  tensors: {
    w: { ...weights, shape: [...weights.shape] },
    same: { ...weights, shape: [...weights.shape] },
    ids: { dtype: 'int64', shape: [2], data: BigInt64Array.of(-(2n ** 62n), 7n) },
    scalar: { dtype: 'int32', shape: [], data: Int32Array.of(42) },
    none: { dtype: 'float32', shape: [0, 3], data: new Float32Array(0) },
    flags: { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) },
  },
  meta: { steps: 12, best: null, features: { words: ['ä', '🙂'], bytes: Uint8Array.of(1, 2) } },
});

const count = async (table: string): Promise<number> =>
  (await db.query<{ n: number }>(`select count(*)::int as n from rafiki.${table}`))[0]!.n;

describe('the parameter store', () => {
  test('reads a large tensor in parts', async () => {
    const data = Uint8Array.from({ length: 9 * 2 ** 20 + 7 }, (_, i) => (i * 31) % 251);
    const id = await store().save('model', {
      tensors: { file: { dtype: 'uint8', shape: [data.length], data } },
      meta: {},
    });
    const { tensors } = await store().load(id);
    expect(Buffer.from(tensors['file']?.data as Uint8Array).equals(data)).toBe(true);
    await db.query(`update rafiki.blob set data = set_byte(data, 8000000, 255 - get_byte(data, 8000000))`);
    await expect(store().load(id)).rejects.toThrow(CorruptParams);
  });

  test('refuses a tensor that pg_dump could not dump', async () => {
    const data = new Uint8Array(MAX_STORED_TENSOR_BYTES + 1); // never written to: it takes no memory
    const saved = store().save('model', {
      tensors: { file: { dtype: 'uint8', shape: [data.length], data } },
      meta: {},
    });
    await expect(saved).rejects.toThrow(DataTooLarge);
    expect(await count('params')).toBe(0);
  });

  test('loads what was saved, of any dtype, shape and meta', async () => {
    const id = await store().save('checkpoint', sample());
    const loaded = await store().load(id);
    expect(loaded.tensors).toEqual(sample().tensors);
    expect(loaded.meta).toMatchObject({ steps: 12, best: null, features: { words: ['ä', '🙂'] } });
    expect(await db.query('select shape from rafiki.params_tensor where params_id = $1 order by name', [id])).toEqual(
      [[3], [2], [0, 3], [2, 2], [], [2, 2]].map((shape) => ({ shape })),
    );
  });

  test('stores equal tensors once, within a set and between sets', async () => {
    await store().save('checkpoint', sample());
    expect(await count('blob')).toBe(5);
    await store().save('model', sample());
    expect([await count('params'), await count('blob')]).toEqual([2, 5]);
  });

  test('saves equal sets concurrently without a deadlock', async () => {
    await Promise.all(Array.from({ length: 8 }, () => store().save('checkpoint', sample())));
    expect([await count('params'), await count('blob')]).toEqual([8, 5]);
  });

  test('refuses bytes that differ from the stored ones', async () => {
    const id = await store().save('model', sample());
    await db.query(`update rafiki.blob set data = set_byte(data, length(data) - 1, 99)`);
    await expect(store().load(id)).rejects.toThrow(CorruptParams);
  });

  test('raises an error for deleted parameters', async () => {
    await expect(store().load(404)).rejects.toThrow(UndefinedObject);
  });

  test('returns loaded parameters from memory', async () => {
    const warm = store();
    const id = await warm.save('model', sample());
    await warm.load(id);
    await db.query('delete from rafiki.params');
    expect((await warm.load(id)).meta['steps']).toBe(12);
  });
});

describe('garbage collection', () => {
  test('keeps referenced parameters, and those younger than the grace period', async () => {
    await createReviews(db);
    const studyId = await insertStudy(db);
    const named = await store().save('checkpoint', sample());
    await db.query(
      `insert into rafiki.trial (study_id, number, family, knobs, seed, checkpoint_id) values ($1, 1, 'fasttext', '{}', 1, $2)`,
      [studyId, named],
    );
    await store().save('checkpoint', {
      tensors: { other: { dtype: 'int32', shape: [1], data: Int32Array.of(5) } },
      meta: {},
    });
    expect(await store(60_000).collectGarbage()).toEqual({ params: 0, blobs: 0 });
    expect(await store(0).collectGarbage()).toEqual({ params: 1, blobs: 1 });
    expect((await store().load(named)).meta['steps']).toBe(12);
  });

  test('is not needed for a replaced checkpoint, which is deleted immediately', async () => {
    await createReviews(db);
    await insertTrial(db, {
      studyId: await insertStudy(db),
      number: 1,
      family: 'fasttext',
      knobs: {},
      seed: 1,
      initialWeights: 'random',
    });
    const process = { kind: 'worker', host: 'h', pid: 1, threads: 1, version: '0' } as const;
    const trial = (await claimTrial(db, await insertProcess(db, process), { families: ['fasttext'] }))!;
    for (const steps of [1, 2, 3]) {
      const id = await store().save('checkpoint', { ...sample(), meta: { steps } });
      expect([await setCheckpoint(db, trial, id), await setCheckpoint(db, trial, id)]).toEqual([true, true]);
      expect(await db.query('select id from rafiki.params')).toEqual([{ id }]);
      expect(await db.query('select checkpoint_id as id from rafiki.trial')).toEqual([{ id }]);
    }
  });

  test('keeps a blob that a concurrent save uses', async () => {
    await store().save('checkpoint', sample());
    await db.query('delete from rafiki.params');
    await db.query(`update rafiki.blob set created_at = now() - interval '1 day'`);
    const id = await store().save('checkpoint', sample()); // touches the old blobs
    expect(await store(60_000).collectGarbage()).toEqual({ params: 0, blobs: 0 });
    expect((await store().load(id)).meta['steps']).toBe(12);
  });

  test('takes several statements for many, and leaves what another session holds to the next turn', async () => {
    await db.query(`
      insert into rafiki.params (kind, meta) select 'weights', '' from generate_series(1, 600);
      insert into rafiki.blob (hash, data) select sha256(i::text::bytea), 'x' from generate_series(1, 600) i`);
    const other = await db.connect(() => undefined);
    await other.query('begin');
    await other.query('select from rafiki.params order by id limit 1 for update');
    await other.query('select from rafiki.blob order by hash limit 1 for update');
    expect(await store(0).collectGarbage()).toEqual({ params: 599, blobs: 599 });
    await other.query('rollback');
    await other.close();
    const stopping = AbortSignal.abort();
    expect(await store(0).collectGarbage(stopping)).toEqual({ params: 0, blobs: 0 });
    expect(await store(0).collectGarbage()).toEqual({ params: 1, blobs: 1 });
  });
});
