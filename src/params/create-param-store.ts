import path from 'node:path';
import type { Database } from '../db/database.ts';
import { cacheLimitBytes, defaultCacheDir } from '../runtime/cache-dir.ts';
import { DiskCache } from './disk-cache.ts';
import { type ParamStore, PostgresParamStore, type PostgresParamStoreOptions } from './param-store.ts';
import { bucketOf } from './s3.ts';

/** The store that the environment asks for: all in Postgres, or bytes in S3 (`RAFIKI_PARAMS`) and on this machine's disk. */
export function createParamStore(
  database: Database,
  cacheDir = defaultCacheDir(),
  options: Pick<PostgresParamStoreOptions, 'cacheBytes'> = {},
): ParamStore {
  const objects = bucketOf(process.env);
  if (objects === undefined) return new PostgresParamStore({ database, ...options });
  const disk = new DiskCache({ dir: path.join(cacheDir, 'params'), maxBytes: cacheLimitBytes() });
  return new PostgresParamStore({ database, objects, disk, ...options });
}
