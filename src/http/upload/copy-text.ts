import { BadData } from '../../errors/errors.ts';

/** In the text format of COPY. */
export const NULL = '\\N';

/** A value in the text format of COPY. Throws BadData for what no text of Postgres has. */
export function copyText(value: string): string {
  if (value.includes('\0')) throw new BadData('a value of the uploaded file contains NUL', { hint: 'Remove it.' });
  return value.replace(/[\\\t\n\r]/g, (it) => escapes[it] ?? it);
}
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** Bytes in the text format of COPY. */
export const copyBytea = (bytes: Uint8Array): string =>
  `\\\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
