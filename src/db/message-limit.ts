import type { Duplex } from 'node:stream';
import { DataTooLarge } from '../errors/errors.ts';
import { sizeText } from '../runtime/byte-size.ts';

/** A message's type and length. */
const HEAD_BYTES = 5;

/**
 * Closes a connection to PostgreSQL at the head of a too long message, before any of it is buffered. To be called
 * between two messages.
 */
export function limitMessages(stream: Duplex, maxBytes: number): void {
  const head = Buffer.alloc(HEAD_BYTES);
  let headBytes = 0;
  let bodyBytes = 0; // remaining bytes of the message
  const push = stream.push.bind(stream);
  // All data from the network passes here once and in order, while data listeners are added and removed, and COPY
  // pushes data back.
  stream.push = (chunk: Buffer | null, encoding?: BufferEncoding): boolean => {
    for (let at = 0; chunk !== null && at < chunk.length; ) {
      if (bodyBytes > 0) {
        const passed = Math.min(bodyBytes, chunk.length - at);
        bodyBytes -= passed;
        at += passed;
        continue;
      }
      head[headBytes++] = chunk[at++] as number;
      if (headBytes < HEAD_BYTES) continue;
      headBytes = 0;
      bodyBytes = head.readUInt32BE(1) - 4; // the length counts itself
      if (bodyBytes > maxBytes) {
        stream.destroy(tooLong(bodyBytes, maxBytes));
        return false;
      }
    }
    return push(chunk, encoding);
  };
}

const tooLong = (bytes: number, max: number): DataTooLarge =>
  new DataTooLarge("a row or a message of the tables' owner is too long", {
    detail: `It has ${sizeText(bytes)}; the limit is ${sizeText(max)}.`,
    hint: 'Check the functions, triggers and policies of the table.',
  });
