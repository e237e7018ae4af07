import { EnvironmentUnfit } from '../errors/errors.ts';

/** What to say of a write that failed: a full disk is named, with the folder; other errors stay as they are. */
export function diskError(error: unknown, dir: string): unknown {
  if (!(error instanceof Error) || !('code' in error) || !FULL.has(error.code)) return error;
  return new EnvironmentUnfit('the disk is full', {
    detail: `Writing to ${dir} failed: ${error.message}.`,
    hint: `Make room in ${dir}, or choose another folder with RAFIKI_CACHE_DIR.`,
    cause: error,
  });
}

const FULL = new Set<unknown>(['ENOSPC', 'EDQUOT']);
