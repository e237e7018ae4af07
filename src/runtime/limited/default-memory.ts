import { totalmem } from 'node:os';

/** Of the machine's memory, or the container's: Postgres, the page cache and the workers share it. */
const SHARE = 0.25;
const MAX_DEFAULT_BYTES = 2 * 2 ** 30;

/** Default memory for loaded models, bytes. */
export function defaultModelMemory(): number {
  const limit = process.constrainedMemory(); // without a limit: 0, or more than the machine has
  return Math.floor(SHARE * (limit > 0 ? Math.min(limit, totalmem()) : totalmem()));
}

/** Default memory of a process that checks or runs imported models, bytes. */
export const defaultImportMemory = (): number => Math.min(MAX_DEFAULT_BYTES, defaultModelMemory());
