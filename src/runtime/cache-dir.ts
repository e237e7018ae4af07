import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { parseBytes } from './byte-size.ts';

const LIMIT = 'RAFIKI_CACHE_LIMIT';
const DEFAULT_LIMIT = '8GB';

/** `RAFIKI_CACHE_DIR`, or a folder of this user's own among the temporary files. */
export const defaultCacheDir = (): string =>
  process.env['RAFIKI_CACHE_DIR'] ?? path.join(tmpdir(), `rafiki-${userInfo().uid}`);

/** The most bytes of models that the folder keeps, and as many of parameters that came from S3. */
export const cacheLimitBytes = (text = process.env[LIMIT]): number => parseBytes(text || DEFAULT_LIMIT, LIMIT);
