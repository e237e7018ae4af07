import { LRUCache } from 'lru-cache';
import type { Database } from '../db/database.ts';
import { deleteOrphanBlobs, insertBlob, selectBlobs, selectTensors, touchBlobs } from '../db/statements/blobs.ts';
import {
  deleteOrphanParams,
  insertParams,
  insertTensors,
  type NewParams,
  type ParamsKind,
  selectMeta,
} from '../db/statements/params.ts';
import { selectPublishedTensors } from '../db/statements/warm-starts.ts';
import { MAX_STORED_TENSOR_BYTES, type ParamSet, type TensorData } from '../domain/tensor.ts';
import type { PublishedWeights, RequestedTensor } from '../domain/warm-start.ts';
import { DataTooLarge, UndefinedObject } from '../errors/errors.ts';
import { sizeText } from '../runtime/byte-size.ts';
import type { DiskCache } from '../runtime/disk/disk-cache.ts';
import { Blobs } from './blobs.ts';
import { matchTensors, type Origin, originOf } from './matching.ts';
import type { ObjectStore } from './s3.ts';
import { packMeta, packTensor, unpackMeta } from './tensor-codec.ts';

/** Stores checkpoints and models. */
export interface ParamStore {
  /** Stores a copy and returns its id. A trial or a model must soon reference it, or it is deleted. */
  save(kind: Exclude<ParamsKind, 'weights'>, params: ParamSet, options?: SaveOptions): Promise<number>;
  /** Stores weights that other trials may start from; returns their id. */
  publish(weights: PublishedWeights, basis: Uint8Array): Promise<number>;
  /** The tensors that a trial gets from published weights. */
  warmStart(trialId: number, request: WarmStartRequest): Promise<WarmStart>;
  /** The set is shared with the cache and must not be modified. */
  load(id: number): Promise<ParamSet>;
  /** Deletes what is no longer referenced, in many statements; ends early if the signal aborts. */
  collectGarbage(signal?: AbortSignal): Promise<Collected>;
  /**
   * Deletes unreferenced objects, and those of failed uploads, in S3; returns their number. 0 if this process has no
   * bucket. Throws {@link InvalidState} if they are those of another database.
   */
  collectObjects(signal?: AbortSignal): Promise<number>;
}

export interface SaveOptions {
  /** The set that is the encoder of a model. */
  standsOn?: number | null;
}

export interface WarmStartRequest {
  requested: readonly RequestedTensor[];
  /** Hash of the trial's rows: weights from other rows would make the trial incomparable with the rest of the study. */
  basis: Uint8Array;
}

export interface WarmStart {
  tensors: Record<string, TensorData>;
  origin: Origin;
}

export interface Collected {
  params: number;
  blobs: number;
}

export interface PostgresParamStoreOptions {
  database: Database;
  /** Maximum bytes of tensors in memory. */
  cacheBytes?: number;
  /** Store for the bytes of tensors; absent: Postgres. */
  objects?: ObjectStore | undefined;
  /** Local cache of that store. */
  disk?: DiskCache | undefined;
  /** Minimum age of unreferenced data before it is deleted: longer than the time between saving and referencing. */
  graceMs?: number;
}

const DEFAULT_CACHE_BYTES = 256 * 2 ** 20;
const DEFAULT_GRACE_MS = 10 * 60_000;
/**
 * Grace time of data that is referenced immediately. Checkpoints and published weights have 100 MB and more: old ones
 * must be deleted soon.
 */
const SHORT_GRACE_MS = 60_000;
/**
 * Objects are referenced when all of their set are uploaded: this many grace times, an hour by default, are allowed for
 * that.
 */
const OBJECT_GRACES = 6;

/**
 * Parameter sets as rows in Postgres, their tensors as content-addressed blobs in Postgres or S3: equal tensors are
 * stored once, and bytes are verified when read.
 */
export class PostgresParamStore implements ParamStore {
  readonly #database: Database;
  readonly #blobs: Blobs;
  readonly #graceMs: number;
  readonly #cache: LRUCache<number, ParamSet>;

  constructor(options: PostgresParamStoreOptions) {
    const { database, cacheBytes = DEFAULT_CACHE_BYTES, graceMs = DEFAULT_GRACE_MS } = options;
    this.#database = database;
    this.#blobs = new Blobs(options);
    this.#graceMs = graceMs;
    this.#cache = new LRUCache({ maxSize: cacheBytes, sizeCalculation: sizeOf });
  }

  save(kind: ParamsKind, { tensors, meta }: ParamSet, { standsOn = null }: SaveOptions = {}): Promise<number> {
    return this.#insert({ kind, meta: packMeta(meta), basis: null, standsOn }, tensors, {});
  }

  publish({ tensors, roles }: PublishedWeights, basis: Uint8Array): Promise<number> {
    return this.#insert(
      { kind: 'weights', meta: packMeta({}), basis: Buffer.from(basis), standsOn: null },
      tensors,
      roles,
    );
  }

  async warmStart(trialId: number, { requested, basis }: WarmStartRequest): Promise<WarmStart> {
    const offered = await selectPublishedTensors(this.#database, trialId, Buffer.from(basis));
    const matches = matchTensors(requested, offered);
    const blobs = await selectBlobs(
      this.#database,
      matches.map(({ hash }) => hash),
    );
    const byHash = new Map(blobs.map((blob) => [blob.hash.toString('hex'), blob]));
    const found = matches.map(({ name, hash }) => {
      const blob = byHash.get(hash.toString('hex'));
      if (blob === undefined) throw notStored(`tensor "${name}"`);
      return { ...blob, name };
    });
    return { tensors: await this.#blobs.tensors(found), origin: originOf(requested, matches) };
  }

  async #insert(params: NewParams, tensors: ParamSet['tensors'], roles: Record<string, string>): Promise<number> {
    const packed = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
      if (data.byteLength > MAX_STORED_TENSOR_BYTES) throw tensorTooLarge(name, data.byteLength);
      const blob = packTensor({ dtype, shape, data });
      return { blob, place: { name, dtype, shape, role: roles[name] ?? null, hash: blob.hash } };
    });
    packed.sort((a, b) => a.blob.hash.compare(b.blob.hash)); // the same lock order in all transactions prevents deadlocks
    const objectIds = await this.#blobs.upload(packed.map(({ blob }) => blob));
    return this.#database.transaction(async (tx) => {
      const id = await insertParams(tx, params);
      const hashes = packed.map(({ blob }) => blob.hash);
      const stored = new Set((await touchBlobs(tx, hashes)).map((hash) => hash.toString('hex')));
      for (const { blob } of packed) {
        const { hash, data } = blob;
        const objectId = objectIds.get(hash.toString('hex'));
        if (stored.has(hash.toString('hex'))) continue;
        // A blob that existed at the upload check and was deleted since goes into Postgres: its bytes are available
        // here.
        await insertBlob(tx, objectId === undefined ? { hash, data, objectId: null } : { hash, data: null, objectId });
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
    if (meta === undefined) throw notStored(`set ${id} of parameters`);
    const rows = await selectTensors(this.#database, id);
    const params = { meta: unpackMeta(meta), tensors: await this.#blobs.tensors(rows) };
    this.#cache.set(id, params);
    return params;
  }

  async collectGarbage(signal?: AbortSignal): Promise<Collected> {
    const shortMs = Math.min(this.#graceMs, SHORT_GRACE_MS);
    const params = await untilNone(() => deleteOrphanParams(this.#database, this.#graceMs, shortMs), signal);
    return { params, blobs: await untilNone(() => deleteOrphanBlobs(this.#database, shortMs), signal) };
  }

  collectObjects(signal?: AbortSignal): Promise<number> {
    return this.#blobs.collect(OBJECT_GRACES * this.#graceMs, signal);
  }
}

/** The sum of what `some` deletes until that is nothing. */
async function untilNone(some: () => Promise<number>, signal: AbortSignal | undefined): Promise<number> {
  let deleted = 0;
  while (!signal?.aborted) {
    const found = await some();
    if (found === 0) break;
    deleted += found;
  }
  return deleted;
}

const notStored = (what: string): UndefinedObject =>
  new UndefinedObject(`${what} no longer exists`, { hint: 'It was dropped: train the model again.' });

const tensorTooLarge = (name: string, bytes: number): DataTooLarge =>
  new DataTooLarge(`tensor "${name}" is too large to be stored`, {
    detail: `It has ${sizeText(bytes)}; the maximum is ${sizeText(MAX_STORED_TENSOR_BYTES)}, since pg_dump cannot dump larger values.`,
    hint: 'Take a smaller network or encoder, or one with weights in 8 or 16 bits.',
  });

const sizeOf = ({ tensors }: ParamSet): number =>
  Object.values(tensors).reduce((bytes, { data }) => bytes + data.byteLength, 1024);
