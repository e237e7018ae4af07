import { totalmem } from 'node:os';

/** Postgres, the page cache and the workers share the machine. */
const DEFAULT_SHARE = 0.25;

/** Default memory for loaded models, bytes: a quarter of the machine's or the container's memory. */
export function defaultModelMemory(): number {
  const limit = process.constrainedMemory(); // without a limit: 0, or more than the machine has
  return Math.floor(DEFAULT_SHARE * (limit > 0 ? Math.min(limit, totalmem()) : totalmem()));
}
