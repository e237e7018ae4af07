import { hash } from 'node:crypto';
import { SEPARATOR } from './request.ts';

/** A request whose answer is sent before it is made. */
export interface PrefetchedRequest {
  statement: string;
  /** The name of the model. */
  model: string;
  /** An image is given in base64. */
  text: string;
}

/** A longer text has its hash in the fingerprint. */
const HASH_ABOVE_BYTES = 256;

/**
 * Names a request, as `rafiki._fingerprint()` of 2-bridge/40-exchange.sql does: a backend takes a prefetched answer for this statement, model and
 * text only.
 */
export function fingerprintOf({ statement, model, text }: PrefetchedRequest): string {
  const content = Buffer.byteLength(text) <= HASH_ABOVE_BYTES ? `=${text}` : `#${hash('sha256', text, 'hex')}`;
  return [statement, Buffer.byteLength(model), model, content].join(SEPARATOR);
}
