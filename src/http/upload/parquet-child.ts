/** The process that reads one Parquet file: its first order has the file, and is answered with the columns; each further one with rows. */
import { type FileMetaData, parquetMetadata, parquetReadObjects, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { OrderPipe } from '../../runtime/frames/order-pipe.ts';
import { copyValue, type ParquetColumn, parquetColumns } from './parquet-columns.ts';
import { asWritten, textParsers } from './parquet-texts.ts';

const MAX_ROWS = 10_000_000;
/** Of a part of a file: a page, or what a codec makes of it. */
const MAX_PAGE_BYTES = 2 ** 28;
const ROWS_AT_ONCE = 10_000;
/** Of rows in one reply: images are long. */
const PART_CHARS = 2 ** 22;
const MAX_REFUSAL_CHARS = 500;

type Codec = (input: Uint8Array, outputLength: number) => Uint8Array | Promise<Uint8Array>;

export interface ParquetOrder {
  file?: Uint8Array;
}

/** Rows are in the text format of COPY; after the last ones there is nothing. */
export type ParquetReply = { columns?: { name: string; type: string }[]; rows?: string } | { refused: string };

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

async function* lines(file: ArrayBuffer, metadata: FileMetaData, columns: ParquetColumn[]): AsyncGenerator<string> {
  let begin = 0;
  for (const { num_rows } of metadata.row_groups) {
    const end = begin + Number(num_rows);
    for (let rowStart = begin; rowStart < end; rowStart += ROWS_AT_ONCE) {
      const rowEnd = Math.min(end, rowStart + ROWS_AT_ONCE);
      const options = { compressors: bounded, utf8: false, parsers: textParsers };
      const rows = await parquetReadObjects({ file, metadata, rowStart, rowEnd, ...options });
      let text = '';
      for (const row of rows) {
        text += `${columns.map((column) => copyValue(column, row[column.name])).join('\t')}\n`;
        if (text.length < PART_CHARS) continue;
        yield text;
        text = '';
      }
      if (text !== '') yield text;
    }
    begin = end;
  }
}

let rest: AsyncGenerator<string> | undefined;

async function reply({ file }: ParquetOrder): Promise<ParquetReply> {
  if (file === undefined) {
    const next = await rest?.next();
    return next === undefined || next.done === true ? {} : { rows: next.value };
  }
  const bytes = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer;
  const metadata = parquetMetadata(bytes);
  if (metadata.num_rows > MAX_ROWS) throw new Error(`it has ${metadata.num_rows} rows; the maximum is ${MAX_ROWS}`);
  const root = parquetSchema(metadata);
  const columns = parquetColumns(root);
  rest = lines(bytes, asWritten(metadata, root), columns);
  return { columns: columns.map(({ name, type }) => ({ name, type })) };
}

const refusal = (error: unknown): ParquetReply => ({
  refused: String((error as Error).message)
    .replaceAll(/\s+/g, ' ')
    .slice(0, MAX_REFUSAL_CHARS),
});

const pipe = new OrderPipe<ParquetOrder>(
  (order) =>
    void reply(order)
      .catch(refusal)
      .then((answer) => pipe.answer(answer)),
);
