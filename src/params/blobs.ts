import type { Database } from '../db/database.ts';
import {
  deleteObjects,
  holdUnusedObjects,
  insertObject,
  type StoredBlob,
  type StoredObject,
  touchBlobs,
} from '../db/statements/params.ts';
import type { TensorData } from '../domain/tensor.ts';
import { EnvironmentUnfit, UndefinedObject } from '../errors/errors.ts';
import type { DiskCache } from './disk-cache.ts';
import type { ObjectStore } from './s3.ts';
import { type Blob, isIntact, unpackTensor } from './tensor-codec.ts';

export interface BlobsOptions {
  database: Database;
  objects?: ObjectStore | undefined;
  disk?: DiskCache | undefined;
}

/** Requests to S3 at once: a network of 100 small tensors should not take 100 round trips. */
const AT_ONCE = 16;
/** Objects deleted in one transaction. */
const BATCH = 500;

/** The bytes of tensors, wherever they are. */
export class Blobs {
  readonly #options: BlobsOptions;

  constructor(options: BlobsOptions) {
    this.#options = options;
  }

  /** Named tensors, from Postgres as they came, from this machine's disk, or from S3. */
  async tensors(stored: readonly (StoredBlob & { name: string })[]): Promise<Record<string, TensorData>> {
    const entries: [string, TensorData][] = [];
    await atOnce([...stored.entries()], async ([place, blob]) => {
      entries[place] = [blob.name, unpackTensor({ hash: blob.hash, data: await this.#bytes(blob) })];
    });
    return Object.fromEntries(entries);
  }

  async #bytes({ hash, data, objectId }: StoredBlob): Promise<Buffer> {
    if (data !== null) return data;
    const { objects, disk } = this.#options;
    const name = hash.toString('hex');
    const near = await disk?.get(name);
    if (near !== undefined && isIntact({ hash, data: near })) return near;
    if (objects === undefined) throw noBucket();
    const far = await objects.get(keyOf({ id: objectId, hash }));
    if (far === undefined) throw gone(name);
    if (isIntact({ hash, data: far })) await disk?.set(name, far).catch(() => undefined); // a full disk costs speed alone
    return far;
  }

  /**
   * Brings to S3 those that are not stored anywhere yet; the ids of their objects by hash. Each object is written down
   * first and has an id of its own, so that none is lost from sight, and deleting an old one never hits a new one.
   */
  async upload(blobs: readonly Blob[]): Promise<Map<string, string>> {
    const { objects, database } = this.#options;
    const ids = new Map<string, string>();
    if (objects === undefined) return ids;
    const hashes = blobs.map(({ hash }) => hash);
    const stored = new Set((await touchBlobs(database, hashes)).map((hash) => hash.toString('hex')));
    const missing = new Map(blobs.map((blob) => [blob.hash.toString('hex'), blob]));
    for (const name of stored) missing.delete(name);
    await atOnce([...missing], async ([name, { hash, data }]) => {
      const id = await insertObject(database, hash);
      await objects.put(keyOf({ id, hash }), data, hash);
      ids.set(name, id);
    });
    return ids;
  }

  /** Deletes objects that no blob names, in S3 first; how many. */
  async collect(graceMs: number): Promise<number> {
    const { objects, database } = this.#options;
    if (objects === undefined) return 0;
    for (let deleted = 0; ; ) {
      const found = await database.transaction(async (tx) => {
        const unused = await holdUnusedObjects(tx, graceMs, BATCH);
        await atOnce(unused, (object) => objects.delete(keyOf(object)));
        await deleteObjects(
          tx,
          unused.map(({ id }) => id),
        );
        return unused.length;
      });
      deleted += found;
      if (found < BATCH) return deleted;
    }
  }
}

const keyOf = ({ id, hash }: StoredObject): string => `${hash.toString('hex')}/${id}`;

/** Does `work` for each, a bounded number at a time; the first failure ends it when those under way have ended. */
async function atOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        await work(item);
      } catch (error) {
        queue.length = 0;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: AT_ONCE }, lane));
  for (const each of lanes) if (each.status === 'rejected') throw each.reason;
}

const noBucket = (): EnvironmentUnfit =>
  new EnvironmentUnfit('these parameters are kept in S3, and this process knows no bucket', {
    hint: 'Set RAFIKI_PARAMS=s3://bucket/prefix for coordinator, workers and serving alike.',
  });

const gone = (name: string): UndefinedObject =>
  new UndefinedObject('a tensor is not in S3 any more', {
    detail: `Its hash is ${name}.`,
    hint: 'Check that RAFIKI_PARAMS names the bucket and prefix of this database; if so, train the model again.',
  });
