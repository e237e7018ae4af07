import { LRUCache } from 'lru-cache';
import type { Database } from '../db/database.ts';
import {
  deleteOrphanBlobs,
  deleteOrphanParams,
  insertBlob,
  insertParams,
  insertTensors,
  type ParamsKind,
  selectMeta,
  selectTensors,
  touchBlobs,
} from '../db/statements/params.ts';
import type { ParamSet } from '../domain/tensor.ts';
import { UndefinedObject } from '../errors/errors.ts';
import { packMeta, packTensor, unpackMeta, unpackTensor } from './tensor-codec.ts';

/** Where checkpoints and models are kept. */
export interface ParamStore {
  /** Keeps a copy; its id. It must soon be named by a trial or a model, or it is collected. */
  save(kind: ParamsKind, params: ParamSet): Promise<number>;
  /** The set is shared with the cache: read it, never write to it. */
  load(id: number): Promise<ParamSet>;
  /** Deletes what nothing names any more. */
  collectGarbage(): Promise<Collected>;
}

export interface Collected {
  params: number;
  blobs: number;
}

export interface PostgresParamStoreOptions {
  database: Database;
  /** Bytes of tensors kept in memory. */
  cacheBytes?: number;
  /** How old something unnamed must be before it is deleted: longer than from saving to naming it. */
  graceMs?: number;
}

const DEFAULT_CACHE_BYTES = 256 * 2 ** 20;
const DEFAULT_GRACE_MS = 10 * 60_000;
/** A blob is named in the transaction that saves it. Checkpoints come at 100 MB and more: what they leave must go soon. */
const BLOB_GRACE_MS = 60_000;

/** Tensors as content-addressed blobs in Postgres: equal tensors are stored once, and bytes are checked when read. */
export class PostgresParamStore implements ParamStore {
  readonly #database: Database;
  readonly #graceMs: number;
  readonly #cache: LRUCache<number, ParamSet>;

  constructor({ database, cacheBytes = DEFAULT_CACHE_BYTES, graceMs = DEFAULT_GRACE_MS }: PostgresParamStoreOptions) {
    this.#database = database;
    this.#graceMs = graceMs;
    this.#cache = new LRUCache({ maxSize: cacheBytes, sizeCalculation: sizeOf });
  }

  async save(kind: ParamsKind, { tensors, meta }: ParamSet): Promise<number> {
    const packed = Object.entries(tensors).map(([name, { dtype, shape, ...rest }]) => {
      const blob = packTensor({ dtype, shape, ...rest });
      return { blob, place: { name, dtype, shape, hash: blob.hash } };
    });
    packed.sort((a, b) => a.blob.hash.compare(b.blob.hash)); // one order of locks for all savers
    return this.#database.transaction(async (tx) => {
      const id = await insertParams(tx, kind, packMeta(meta));
      const hashes = packed.map(({ blob }) => blob.hash);
      const stored = new Set((await touchBlobs(tx, hashes)).map((hash) => hash.toString('hex')));
      for (const { blob } of packed) {
        if (!stored.has(blob.hash.toString('hex'))) await insertBlob(tx, blob.hash, blob.data);
      }
      await insertTensors(
        tx,
        id,
        packed.map(({ place }) => place),
      );
      return id;
    });
  }

  async load(id: number): Promise<ParamSet> {
    const cached = this.#cache.get(id);
    if (cached !== undefined) return cached;
    const meta = await selectMeta(this.#database, id);
    if (meta === undefined) {
      throw new UndefinedObject(`parameters ${id} are not stored`, {
        hint: 'They were dropped: train the model again.',
      });
    }
    const rows = await selectTensors(this.#database, id);
    const params = {
      meta: unpackMeta(meta),
      tensors: Object.fromEntries(rows.map(({ name, hash, data }) => [name, unpackTensor({ hash, data })])),
    };
    this.#cache.set(id, params);
    return params;
  }

  async collectGarbage(): Promise<Collected> {
    const params = await deleteOrphanParams(this.#database, this.#graceMs);
    return { params, blobs: await deleteOrphanBlobs(this.#database, Math.min(this.#graceMs, BLOB_GRACE_MS)) };
  }
}

const sizeOf = ({ tensors }: ParamSet): number =>
  Object.values(tensors).reduce((bytes, { data }) => bytes + data.byteLength, 1024);
