import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { to as copyTo } from 'pg-copy-streams';
import type { Connection } from './database.ts';

/**
 * Streams the lines of a one-column query. The values must be free of line ends and of the bytes 1 and 2, as JSON is:
 * with these as quote and delimiter, CSV passes each value on as it is, where the text format would double backslashes.
 */
export async function copyLines(connection: Connection, query: string, destination: Writable): Promise<void> {
  const sql = `copy (${query}) to stdout with (format csv, delimiter e'\\x02', quote e'\\x01')`;
  await pipeline(connection.client.query(copyTo(sql)), destination);
}

/** The values of a one-column query of type bytea that has no null, as they come: none is kept here. */
export async function* copyBytes(connection: Connection, query: string): AsyncGenerator<Buffer> {
  const bytes = new ByteReader(connection.client.query(copyTo(`copy (${query}) to stdout with (format binary)`)));
  await bytes.take(SIGNATURE_BYTES + 4); // signature and flags
  await bytes.take((await bytes.take(4)).readUInt32BE()); // header extension
  // each row: number of columns, −1 after the last row, and for each column its length and its bytes
  while ((await bytes.take(2)).readInt16BE() === 1) yield await bytes.take((await bytes.take(4)).readInt32BE());
  await bytes.end();
}

const SIGNATURE_BYTES = 11;

/** Takes a stream of chunks in pieces of the sizes wanted. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer, undefined>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  async take(size: number): Promise<Buffer> {
    const parts = [this.#rest];
    let length = this.#rest.length;
    while (length < size) {
      const { done, value } = await this.#chunks.next();
      if (done) throw new RangeError('a COPY ended within a row');
      parts.push(value);
      length += value.length;
    }
    const joined = parts.length === 1 ? this.#rest : Buffer.concat(parts, length);
    this.#rest = joined.subarray(size);
    return joined.subarray(0, size);
  }

  /** Lets the stream come to its end: the connection can be used again only then. */
  async end(): Promise<void> {
    while (!(await this.#chunks.next()).done);
  }
}
