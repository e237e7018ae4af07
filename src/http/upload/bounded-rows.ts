import type { Parser } from 'csv-parse';

/**
 * Passes the parts of a CSV file on to its parser, and throws once a row is longer than `most`: the parser keeps a row while it arrives, and its own
 * bound counts no commas, each of which is a field.
 */
export async function* boundedRows<Part extends string | Uint8Array>(
  parts: AsyncIterable<Part>,
  { info }: Parser,
  most: number,
  tooLong: () => Error,
): AsyncGenerator<Part> {
  let [rows, begun] = [0, 0];
  for await (const part of parts) {
    const read = info.records + info.empty_lines;
    if (read > rows) [rows, begun] = [read, 0];
    if (begun > most) throw tooLong();
    begun += part.length;
    yield part;
  }
}
