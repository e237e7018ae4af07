import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';

/** A folder of this user in the temporary folder. */
export const defaultCacheDir = (): string => path.join(tmpdir(), `rafiki-${userInfo().uid}`);

/** Maximum bytes of models in the folder; rows of studies, and parameters from S3, may each take as much again. */
export const CACHE_LIMIT_BYTES = 8 * 2 ** 30;
