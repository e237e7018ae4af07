import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';

/** A folder of this user's own among the temporary files. */
export const defaultCacheDir = (): string => path.join(tmpdir(), `rafiki-${userInfo().uid}`);

/** The most bytes of models that the folder keeps, and as many of parameters that came from S3. */
export const CACHE_LIMIT_BYTES = 8 * 2 ** 30;
