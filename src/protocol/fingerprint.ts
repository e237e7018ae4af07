import { hash } from 'node:crypto';
import { SEPARATOR } from './request.ts';

/** A request whose answer the server sends before the backend makes the request. */
export interface PrefetchedRequest {
  statement: string;
  /** The model's name. */
  model: string;
  /** An image is base64. */
  input: string;
}

/** The fingerprint has a longer input's hash instead of the input. Hashing takes both sides longer than to send a row of a table as it is. */
const HASH_ABOVE_BYTES = 512;

/**
 * Identifies a request, in the format of `rafiki._fingerprint()` in 2-bridge/40-exchange.sql: a backend uses a prefetched
 * answer only for the same statement, model and input.
 */
export function fingerprintOf({ statement, model, input }: PrefetchedRequest): string {
  const content = Buffer.byteLength(input) <= HASH_ABOVE_BYTES ? `=${input}` : `#${hash('sha256', input, 'hex')}`;
  return [statement, Buffer.byteLength(model), model, content].join(SEPARATOR);
}
