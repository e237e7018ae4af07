import { isUtf8 } from 'node:buffer';
import { InvalidEncoding, NotSupported } from '../errors/errors.ts';

const MAX_REQUEST_BYTES = 100;

/**
 * The client encoding of a connection. libpq requests its database's encoding and does not check the result. So any
 * encoding is accepted, and later requests that may not be UTF-8 are refused: a text is never garbled.
 */
export class ClientEncoding {
  #name = 'UTF8';

  /** The encoding in a `set client_encoding`, which libpq sends automatically; undefined for any other request. */
  requested(body: Buffer): string | undefined {
    if (body.length > MAX_REQUEST_BYTES) return undefined;
    const name = /^set client_encoding (?:to|=) '?([\w-]+)'?;?\0$/i.exec(body.toString('latin1'))?.[1];
    if (name !== undefined) this.#name = name;
    return name;
  }

  /**
   * The text of a Query message, without the NUL at its end. Throws {@link InvalidEncoding} and {@link NotSupported}.
   */
  decode(body: Buffer): string {
    if (body.indexOf(0) !== body.length - 1) {
      throw new InvalidEncoding('a request contains a NUL byte', {
        hint: 'Text in PostgreSQL cannot contain NUL: remove it.',
      });
    }
    if (!isUtf8(body)) {
      throw new InvalidEncoding('a request is not valid UTF-8', {
        hint: 'Convert the text first: convert_from(bytes, encoding).',
      });
    }
    checkEncoding(this.#name);
    return body.toString('utf8', 0, body.length - 1);
  }
}

/** SQL_ASCII means no conversion: the bytes are checked like those of any other encoding. */
const carriesUtf8 = (encoding: string): boolean =>
  ['utf8', 'unicode', 'sqlascii'].includes(encoding.toLowerCase().replace(/[^a-z0-9]/g, ''));

/** Throws {@link NotSupported} for an encoding in which texts may not be UTF-8. */
export function checkEncoding(encoding: string): void {
  if (carriesUtf8(encoding)) return;
  throw new NotSupported('predictions need a database in UTF-8', {
    detail: `the encoding of the database is ${encoding.slice(0, 40)}`,
    hint: `Create a database with encoding 'UTF8'; the client encoding does not matter.`,
  });
}
