import { ProtocolViolation } from '../../errors/errors.ts';
import type { Frame } from './frame-reader.ts';
import { type MessageExtent, packMessage, unpackMessage } from './packed-message.ts';

/** The types of the frames between a process and the one that has started it. */
export const ORDER = 'o';
export const ANSWER = 'a';
export type NumberedType = typeof ORDER | typeof ANSWER;

/** Type, length and number; the length counts itself, as in the protocol of Postgres. */
const HEAD_BYTES = 9;
const NUMBER_BYTES = 4;
/** As one piece they are written sooner. */
const COPIED_BYTES = 2 ** 16;

/** A message in a frame, in pieces. Throws for one that is no plain data. */
export function frameOf(type: NumberedType, number: number, message: unknown): Uint8Array[] {
  const head = Buffer.alloc(HEAD_BYTES, type);
  const pieces = [head, ...packMessage(message)];
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  head.writeInt32BE(bytes - 1, 1);
  head.writeInt32BE(number, HEAD_BYTES - NUMBER_BYTES);
  return bytes > COPIED_BYTES ? pieces : [Buffer.concat(pieces, bytes)];
}

/** Throws {@link ProtocolViolation} for a frame of another type, or bytes that are no message of this extent. */
export function readNumbered(
  { type, body }: Frame,
  expected: NumberedType,
  extent: MessageExtent,
): { number: number; message: unknown } {
  if (type !== expected.charCodeAt(0) || body.length < NUMBER_BYTES)
    throw new ProtocolViolation('a frame is of another kind', { detail: `its type is ${type}` });
  return { number: body.readInt32BE(0), message: unpackMessage(body.subarray(NUMBER_BYTES), extent) };
}
