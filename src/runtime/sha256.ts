import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';

/** A few milliseconds. */
const TURN_BYTES = 4 * 2 ** 20;

/** SHA-256 of bytes that come one after the other, of any size: other work has turns in between. */
export async function sha256InTurns(parts: readonly Uint8Array[]): Promise<Buffer> {
  const hash = createHash('sha256');
  for (const part of parts) {
    for (let from = 0; from < part.length; from += TURN_BYTES) {
      hash.update(part.subarray(from, from + TURN_BYTES));
      if (part.length > TURN_BYTES) await setImmediate();
    }
  }
  return hash.digest();
}
