import { isUtf8 } from 'node:buffer';
import { InvalidEncoding, NotSupported } from '../errors/errors.ts';

const MAX_REQUEST_BYTES = 100;

/**
 * The encoding of a connection. libpq asks for that of its database and does not look whether it got it. So any is granted, and
 * what comes after is refused where it is not UTF-8: never a garbled text.
 */
export class ClientEncoding {
  #name = 'UTF8';

  /** The encoding that a `set client_encoding` asks for, which libpq sends by itself; undefined for any other request. */
  grant(body: Buffer): string | undefined {
    if (body.length > MAX_REQUEST_BYTES) return undefined;
    const name = /^set client_encoding (?:to|=) '?([\w-]+)'?;?\0$/i.exec(body.toString('latin1'))?.[1];
    if (name !== undefined) this.#name = name;
    return name;
  }

  /** The text of a Query message, without the NUL at its end. Throws {@link InvalidEncoding} and {@link NotSupported}. */
  textOf(body: Buffer): string {
    if (body.indexOf(0) !== body.length - 1) {
      throw new InvalidEncoding('a request has a NUL byte inside', {
        hint: 'Text in PostgreSQL has no NUL: remove it.',
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

/** SQL_ASCII is "bytes as they are": they are checked like any others. */
const carriesUtf8 = (encoding: string): boolean =>
  ['utf8', 'unicode', 'sqlascii'].includes(encoding.toLowerCase().replace(/[^a-z0-9]/g, ''));

/** Throws {@link NotSupported} for an encoding in which a text may be something else than UTF-8. */
export function checkEncoding(encoding: string): void {
  if (carriesUtf8(encoding)) return;
  throw new NotSupported('predictions need a database in UTF-8', {
    detail: `the database sends ${encoding.slice(0, 40)}`,
    hint: `Create a database with encoding 'UTF8'; the encoding of the client does not matter.`,
  });
}
