import path from 'node:path';
import type { Database } from '../db/database.ts';
import { CACHE_LIMIT_BYTES, defaultCacheDir } from '../runtime/cache-dir.ts';
import { DiskCache } from './disk-cache.ts';
import { type ParamStore, PostgresParamStore, type PostgresParamStoreOptions } from './param-store.ts';
import { type BucketOptions, openBucket } from './s3.ts';

/** Where a process keeps what it need not ask Postgres for again. */
export interface StorageOptions {
  /** Where the bytes of parameters are kept; in Postgres where not given. */
  bucket?: BucketOptions | undefined;
  /** A folder of this user alone; `defaultCacheDir()` where not given. */
  cacheDir?: string | undefined;
  /** Of models in that folder, and of parameters from the bucket as much again. */
  cacheLimitBytes?: number | undefined;
}

/** All in Postgres, or bytes in S3 and on this machine's disk. */
export function createParamStore(
  database: Database,
  { bucket, cacheDir = defaultCacheDir(), cacheLimitBytes = CACHE_LIMIT_BYTES }: StorageOptions,
  options: Pick<PostgresParamStoreOptions, 'cacheBytes'> = {},
): ParamStore {
  if (bucket === undefined) return new PostgresParamStore({ database, ...options });
  const disk = new DiskCache({ dir: path.join(cacheDir, 'params'), maxBytes: cacheLimitBytes });
  return new PostgresParamStore({ database, objects: openBucket(bucket), disk, ...options });
}
