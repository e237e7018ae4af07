import { totalmem } from 'node:os';
import { parseBytes } from '../../runtime/byte-size.ts';

/** Postgres, the page cache and the workers live on the same machine. */
const DEFAULT_SHARE = 0.25;

/** Bytes for loaded models, as `RAFIKI_MODEL_MEMORY` has them; a quarter of the machine's or the container's memory where it is not set. */
export function modelMemoryBytes(text: string | undefined): number {
  if (text !== undefined && text !== '') return parseBytes(text, 'RAFIKI_MODEL_MEMORY');
  const limit = process.constrainedMemory(); // 0, or more than there is, where the container has no limit
  return Math.floor(DEFAULT_SHARE * (limit > 0 ? Math.min(limit, totalmem()) : totalmem()));
}
