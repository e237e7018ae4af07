import { isUtf8 } from 'node:buffer';
import { InvalidEncoding, NotSupported } from '../errors/errors.ts';

/** SQL_ASCII is "bytes as they are": they are checked like any others. */
export const carriesUtf8 = (encoding: string): boolean =>
  ['utf8', 'unicode', 'sqlascii'].includes(encoding.toLowerCase().replace(/[^a-z0-9]/g, ''));

export const foreignEncoding = (encoding: string): NotSupported =>
  new NotSupported('predictions need a database in UTF-8', {
    detail: `the database sends ${encoding.slice(0, 40)}`,
    hint: `Create a database with encoding 'UTF8'; the encoding of the client does not matter.`,
  });

const MOST_WISH_BYTES = 100;

/** The encoding that a `set client_encoding` asks for, which libpq sends by itself; undefined for any other request. */
export function wishedEncoding(body: Buffer): string | undefined {
  if (body.length > MOST_WISH_BYTES) return undefined;
  return /^set client_encoding (?:to|=) '?([\w-]+)'?;?\0$/i.exec(body.toString('latin1'))?.[1];
}

/** The text of a Query message, without the NUL at its end. */
export function requestText(body: Buffer): string {
  if (body.indexOf(0) !== body.length - 1) {
    throw new InvalidEncoding('a request has a NUL byte inside', { hint: 'Text in PostgreSQL has no NUL: remove it.' });
  }
  if (!isUtf8(body)) {
    throw new InvalidEncoding('a request is not valid UTF-8', {
      hint: 'Convert the text first: convert_from(bytes, encoding).',
    });
  }
  return body.toString('utf8', 0, body.length - 1);
}
