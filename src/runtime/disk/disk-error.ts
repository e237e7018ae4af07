import { EnvironmentUnfit } from '../../errors/errors.ts';

/** Converts a write error on a full disk to EnvironmentUnfit with the folder; returns other errors unchanged. */
export function diskError(error: unknown, dir: string): unknown {
  if (!(error instanceof Error) || !('code' in error) || !FULL.has(error.code)) return error;
  return new EnvironmentUnfit('the disk is full', {
    detail: `Writing to ${dir} failed: ${error.message}.`,
    hint: `Free space in ${dir}, or choose another folder with RAFIKI_CACHE_DIR.`,
    cause: error,
  });
}

const FULL = new Set<unknown>(['ENOSPC', 'EDQUOT']);
