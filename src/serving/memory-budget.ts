import { totalmem } from 'node:os';
import { InvalidParameter } from '../errors/errors.ts';

/** Postgres, the page cache and the workers live on the same machine. */
const DEFAULT_SHARE = 0.25;

const UNITS: Record<string, number> = { kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 };

/** Bytes for loaded models, as `RAFIKI_MODEL_MEMORY` has them; a quarter of the machine's or the container's memory where it is not set. */
export function modelMemoryBytes(text: string | undefined): number {
  if (text === undefined || text === '') {
    const limit = process.constrainedMemory(); // 0, or more than there is, where the container has no limit
    return Math.floor(DEFAULT_SHARE * (limit > 0 ? Math.min(limit, totalmem()) : totalmem()));
  }
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]b)$/i.exec(text.trim()) ?? [];
  const bytes = Number(amount) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  if (bytes > 0) return bytes;
  throw new InvalidParameter('RAFIKI_MODEL_MEMORY is not a size', {
    detail: `It is "${text}".`,
    hint: 'Write a number and kB, MB, GB or TB: RAFIKI_MODEL_MEMORY=2GB.',
  });
}

export const sizeText = (bytes: number): string => `${Number((bytes / 2 ** 20).toPrecision(3))} MB`;
