/**
 * The process that reads a Parquet file from its standard input. It writes one line of JSON, {"columns": [{name, type}]}, and then the rows in the text
 * format of COPY. What it refuses it says on standard error: "refused: …".
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type FileMetaData, parquetMetadata, parquetReadObjects, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { copyValue, type ParquetColumn, parquetColumns } from './parquet-columns.ts';

const MAX_ROWS = 10_000_000;
/** Of a part of a file: a page, or what a codec makes of it. */
const MAX_PAGE_BYTES = 2 ** 28;
const ROWS_AT_ONCE = 10_000;

type Codec = (input: Uint8Array, outputLength: number) => Uint8Array | Promise<Uint8Array>;

/** A page that claims to be larger than any is not unpacked. */
const bounded = Object.fromEntries(
  Object.entries(compressors as Record<string, Codec>).map(([name, unpack]) => [
    name,
    (input: Uint8Array, outputLength: number) => {
      if (outputLength > MAX_PAGE_BYTES) throw new Error(`a page has ${outputLength} bytes`);
      return unpack(input, outputLength);
    },
  ]),
);

async function input(): Promise<ArrayBuffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

async function* lines(file: ArrayBuffer, metadata: FileMetaData, columns: ParquetColumn[]): AsyncGenerator<string> {
  yield `${JSON.stringify({ columns: columns.map(({ name, type }) => ({ name, type })) })}\n`;
  let begin = 0;
  for (const { num_rows } of metadata.row_groups) {
    const end = begin + Number(num_rows);
    for (let rowStart = begin; rowStart < end; rowStart += ROWS_AT_ONCE) {
      const rowEnd = Math.min(end, rowStart + ROWS_AT_ONCE);
      const rows = await parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors: bounded, utf8: false });
      yield rows.map((row) => `${columns.map((column) => copyValue(column, row[column.name])).join('\t')}\n`).join('');
    }
    begin = end;
  }
}

try {
  const file = await input();
  const metadata = parquetMetadata(file);
  if (metadata.num_rows > MAX_ROWS) throw new Error(`it has ${metadata.num_rows} rows; the maximum is ${MAX_ROWS}`);
  const columns = parquetColumns(parquetSchema(metadata));
  await pipeline(Readable.from(lines(file, metadata, columns)), process.stdout);
} catch (error) {
  process.stderr.write(
    `refused: ${String((error as Error).message)
      .replaceAll(/\s+/g, ' ')
      .slice(0, 500)}\n`,
  );
  process.exitCode = 1;
}
