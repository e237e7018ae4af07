import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';

/** `RAFIKI_CACHE_DIR`, or a folder of this user's own among the temporary files. */
export const defaultCacheDir = (): string =>
  process.env['RAFIKI_CACHE_DIR'] ?? path.join(tmpdir(), `rafiki-${userInfo().uid}`);
