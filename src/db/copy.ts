import { to as copyTo } from 'pg-copy-streams';
import type { Connection } from './database.ts';

/** Called with the bytes as they arrive; may throw if there are too many. */
export type ByteCount = (bytes: number) => void;

/**
 * The lines of a one-column query. The values must be free of line ends and of the bytes 1 and 2, as JSON is:
 * with these as quote and delimiter, CSV returns each value unchanged; the text format would double backslashes.
 */
export function copyLines(connection: Connection, query: string, count: ByteCount): AsyncGenerator<Buffer> {
  return copied(connection, `copy (${query}) to stdout with (format csv, delimiter e'\\x02', quote e'\\x01')`, count);
}

/** The bytes of a value; of a too large one only the first. */
export interface CopiedValue {
  bytes: Buffer;
  /** Of the whole value. */
  size: number;
}

/** Bytes kept of a too large value, enough to identify its row. */
const START_BYTES = 4096;

/** The values of a one-column query of type bytea without nulls, streamed without buffering. */
export async function* copyBytes(
  connection: Connection,
  query: string,
  { count, max }: { count: ByteCount; max: number },
): AsyncGenerator<CopiedValue> {
  const bytes = new ByteReader(copied(connection, `copy (${query}) to stdout with (format binary)`, count));
  await bytes.take(SIGNATURE_BYTES + 4); // signature and flags
  await bytes.take((await bytes.take(4)).readUInt32BE()); // header extension
  // Each row: number of columns (−1 after the last row), then for each column its length and bytes.
  while ((await bytes.take(2)).readInt16BE() === 1) {
    const size = Math.max(0, (await bytes.take(4)).readInt32BE()); // −1 is a null
    yield { bytes: await bytes.take(size <= max ? size : START_BYTES), size };
    if (size > max) await bytes.skip(size - START_BYTES);
  }
  await bytes.end();
}

async function* copied(connection: Connection, sql: string, count: ByteCount): AsyncGenerator<Buffer> {
  for await (const chunk of connection.client.query(copyTo(sql)) as AsyncIterable<Buffer>) {
    count(chunk.length);
    yield chunk;
  }
}

const SIGNATURE_BYTES = 11;

/** Reads a stream of chunks in pieces of given sizes. */
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
      const value = await this.#next();
      parts.push(value);
      length += value.length;
    }
    const joined = parts.length === 1 ? this.#rest : Buffer.concat(parts, length);
    this.#rest = joined.subarray(size);
    return joined.subarray(0, size);
  }

  /** Discards bytes as they arrive. */
  async skip(size: number): Promise<void> {
    let left = size;
    while (left > this.#rest.length) {
      left -= this.#rest.length;
      this.#rest = await this.#next();
    }
    this.#rest = this.#rest.subarray(left);
  }

  /** Reads the stream to its end: only then can the connection be used again. */
  async end(): Promise<void> {
    while (!(await this.#chunks.next()).done);
  }

  async #next(): Promise<Buffer> {
    const { done, value } = await this.#chunks.next();
    if (done) throw new RangeError('a COPY ended within a row');
    return value;
  }
}
