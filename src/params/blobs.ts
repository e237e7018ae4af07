import type { Database } from '../db/database.ts';
import {
  deleteObjects,
  insertObject,
  lockUnusedObjects,
  PART_BYTES,
  type StoredBlob,
  type StoredObject,
  selectBlobPart,
  selectHome,
  touchBlobs,
} from '../db/statements/blobs.ts';
import type { TensorData } from '../domain/tensor.ts';
import { EnvironmentUnfit, UndefinedObject } from '../errors/errors.ts';
import type { DiskCache } from '../runtime/disk/disk-cache.ts';
import { mayDelete } from './bucket-owner.ts';
import type { ObjectStore } from './s3.ts';
import { type Blob, isTensorIntact, unpackTensor } from './tensor-codec.ts';

export interface BlobsOptions {
  database: Database;
  objects?: ObjectStore | undefined;
  disk?: DiskCache | undefined;
}

/** Concurrent requests to S3: a network of 100 small tensors should not take 100 round trips. */
const CONCURRENCY = 16;
/** Objects deleted per transaction. */
const BATCH = 500;

/** Reads and writes the bytes of tensors in Postgres, on the local disk and in S3. */
export class Blobs {
  readonly #options: BlobsOptions;

  constructor(options: BlobsOptions) {
    this.#options = options;
  }

  /** Named tensors, from Postgres, the local disk or S3. */
  async tensors(stored: readonly (StoredBlob & { name: string })[]): Promise<Record<string, TensorData>> {
    const entries: [string, TensorData][] = [];
    await forEachConcurrently([...stored.entries()], async ([place, blob]) => {
      entries[place] = [blob.name, await unpackTensor({ hash: blob.hash, data: await this.#bytes(blob) })];
    });
    return Object.fromEntries(entries);
  }

  async #bytes({ hash, data, objectId, bytes }: StoredBlob): Promise<Buffer> {
    if (data !== null) return data;
    const { objects, disk } = this.#options;
    const name = hash.toString('hex');
    if (objectId === null) return this.#inParts(hash, bytes);
    const near = await disk?.get(name);
    if (near !== undefined && (await isTensorIntact({ hash, data: near }))) return near;
    if (objects === undefined) throw noBucket();
    const remote = await objects.get(keyOf({ id: objectId, hash }));
    if (remote === undefined) throw missingTensor(name);
    if (await isTensorIntact({ hash, data: remote })) await disk?.set(name, remote).catch(() => undefined); // a full disk only costs speed
    return remote;
  }

  /** The driver decodes a value at once: of a large one that would take the event loop for a second. */
  async #inParts(hash: Buffer, bytes: number): Promise<Buffer> {
    const data = Buffer.allocUnsafe(bytes);
    for (let from = 0; from < bytes; ) {
      const part = await selectBlobPart(this.#options.database, { hash, from, bytes: PART_BYTES });
      if (part === undefined || part.length === 0) throw deletedTensor(hash.toString('hex'));
      from += part.copy(data, from);
    }
    return data;
  }

  /**
   * Uploads the tensors that are not stored yet. Returns the ids of their objects by hash. Each object is recorded
   * before its upload and has its own id, so that none is lost, and deleting an old one never affects a new one.
   */
  async upload(blobs: readonly Blob[]): Promise<Map<string, string>> {
    const { objects, database } = this.#options;
    const ids = new Map<string, string>();
    if (objects === undefined) return ids;
    const hashes = blobs.map(({ hash }) => hash);
    const stored = new Set((await touchBlobs(database, hashes)).map((hash) => hash.toString('hex')));
    const missing = new Map(blobs.map((blob) => [blob.hash.toString('hex'), blob]));
    for (const name of stored) missing.delete(name);
    await forEachConcurrently([...missing], async ([name, { hash, data }]) => {
      const id = await insertObject(database, hash);
      await objects.put(keyOf({ id, hash }), data, hash);
      ids.set(name, id);
    });
    return ids;
  }

  /** Deletes unreferenced objects, in S3 first. Returns their number. Throws {@link InvalidState} if they are those of another database. */
  async collect(graceMs: number, signal?: AbortSignal): Promise<number> {
    const { objects, database } = this.#options;
    if (objects === undefined || !(await mayDelete(objects, await selectHome(database)))) return 0;
    for (let deleted = 0; ; ) {
      const found = await database.transaction(async (tx) => {
        const unused = await lockUnusedObjects(tx, graceMs, BATCH);
        await forEachConcurrently(unused, (object) => objects.delete(keyOf(object)));
        await deleteObjects(
          tx,
          unused.map(({ id }) => id),
        );
        return unused.length;
      });
      deleted += found;
      if (found < BATCH || signal?.aborted) return deleted;
    }
  }
}

const keyOf = ({ id, hash }: StoredObject): string => `${hash.toString('hex')}/${id}`;

/**
 * Runs `work` for each item, with bounded concurrency. After the first failure it starts no more and rejects when the
 * running ones have ended.
 */
async function forEachConcurrently<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
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
  const lanes = await Promise.allSettled(Array.from({ length: CONCURRENCY }, lane));
  for (const each of lanes) if (each.status === 'rejected') throw each.reason;
}

const noBucket = (): EnvironmentUnfit =>
  new EnvironmentUnfit('these parameters are stored in S3, and this process has no bucket configured', {
    hint: 'Set RAFIKI_PARAMS=s3://bucket/prefix for the coordinator, workers and serving.',
  });

const missingTensor = (name: string): UndefinedObject =>
  new UndefinedObject('a tensor is missing in S3', {
    detail: `Its hash is ${name}.`,
    hint: 'Check that RAFIKI_PARAMS names the bucket and prefix of this database; if so, train the model again.',
  });

const deletedTensor = (name: string): UndefinedObject =>
  new UndefinedObject('a tensor was deleted while it was read', {
    detail: `Its hash is ${name}.`,
    hint: 'Its model was dropped.',
  });
