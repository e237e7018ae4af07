import { totalmem } from 'node:os';

/** Postgres, the page cache and the workers live on the same machine. */
const DEFAULT_SHARE = 0.25;

/** Bytes for loaded models where nobody says otherwise: a quarter of the machine's or the container's memory. */
export function defaultModelMemory(): number {
  const limit = process.constrainedMemory(); // 0, or more than there is, where the container has no limit
  return Math.floor(DEFAULT_SHARE * (limit > 0 ? Math.min(limit, totalmem()) : totalmem()));
}
