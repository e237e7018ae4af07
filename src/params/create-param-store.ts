import path from 'node:path';
import type { Database } from '../db/database.ts';
import { CACHE_LIMIT_BYTES, defaultCacheDir } from '../runtime/disk/cache-dir.ts';
import { DiskCache } from '../runtime/disk/disk-cache.ts';
import { type ParamStore, PostgresParamStore, type PostgresParamStoreOptions } from './param-store.ts';
import { type BucketOptions, openBucket } from './s3.ts';

/** Storage options of a process. */
export interface StorageOptions {
  /** The bucket for the bytes of parameters; absent: Postgres. */
  bucket?: BucketOptions | undefined;
  /** A folder that only this user can access; default: `defaultCacheDir()`. */
  cacheDir?: string | undefined;
  /** Maximum of models in that folder; rows of studies, and parameters from the bucket, may each take as much again. */
  cacheLimitBytes?: number | undefined;
}

/** All in Postgres, or the bytes in S3 with a local disk cache. */
export function createParamStore(
  database: Database,
  { bucket, cacheDir = defaultCacheDir(), cacheLimitBytes = CACHE_LIMIT_BYTES }: StorageOptions,
  options: Pick<PostgresParamStoreOptions, 'cacheBytes'> = {},
): ParamStore {
  if (bucket === undefined) return new PostgresParamStore({ database, ...options });
  const disk = new DiskCache({ dir: path.join(cacheDir, 'params'), maxBytes: cacheLimitBytes });
  return new PostgresParamStore({ database, objects: openBucket(bucket), disk, ...options });
}
