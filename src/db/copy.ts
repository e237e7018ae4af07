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
