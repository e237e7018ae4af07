import { ProtocolViolation } from '../errors/errors.ts';

/** Dimensions, whether there are nulls, the type of the elements; then the length and the lower bound of the one dimension. */
const HEADER_BYTES = 20;
const EMPTY_BYTES = 12;

/**
 * Reads a text[] as `array_send` of Postgres writes it, in base64: no character needs an escape, and each text has its length before it.
 * Throws {@link ProtocolViolation}.
 */
export function readPackedArray(base64: string, maxInputs: number): (string | null)[] | 'too many' {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length === EMPTY_BYTES && bytes.readInt32BE(0) === 0) return [];
  if (bytes.length < HEADER_BYTES || bytes.readInt32BE(0) !== 1) throw invalid();
  const count = bytes.readInt32BE(12);
  if (count > maxInputs) return 'too many';
  const values: (string | null)[] = [];
  let at = HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) throw invalid();
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < -1 || at + length > bytes.length) throw invalid();
    values.push(length < 0 ? null : textOf(bytes, at, at + length));
    at += Math.max(0, length);
  }
  if (at !== bytes.length) throw invalid();
  return values;
}

function textOf(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  if (text.includes('\0')) throw invalid(); // no text of Postgres has one
  return text;
}

const invalid = (): ProtocolViolation =>
  new ProtocolViolation('the inputs of a request are not an array of texts of Postgres');
