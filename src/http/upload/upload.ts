import type { Readable } from 'node:stream';
import { quoted } from '../../db/quoted.ts';
import type { RoleTransaction } from '../../db/role-login.ts';
import { RequestTooLarge } from '../../errors/errors.ts';
import { HttpRefusal } from '../error-answer.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';
import { loadParquet } from './parquet.ts';
import { loadTexts, type UploadedColumn } from './texts.ts';
import { loadImages } from './zipped-images.ts';

export type UploadFormat = 'csv' | 'json-lines' | 'parquet' | 'zip';

export interface UploadOptions {
  schema: string;
  table: string;
  format: UploadFormat;
  /** A stream of texts; bytes of the other formats. */
  body: Readable | Buffer;
  maxBytes: number;
  /** Of an image in an archive. */
  maxImageBytes: number;
  statementMs: number;
}

/** What an upload became. */
export interface Uploaded {
  dataset: string;
  rows: number;
  columns: UploadedColumn[];
}

/** Makes a table of a file, in one transaction of the role. */
export function upload(role: SignedIn, options: UploadOptions): Promise<Uploaded> {
  const { schema, table, statementMs } = options;
  const name = `${quoted(schema)}.${quoted(table)}`;
  const done = role.transaction(
    async (on) => {
      const { columns, rows } = await load(on, name, options, role);
      await on.query(`analyze ${name}`);
      return { dataset: `${schema}.${table}`, rows, columns };
    },
    { statementMs },
  );
  return done.catch((error: unknown) => {
    throw (error as { code?: unknown }).code === DUPLICATE_TABLE ? taken(name) : error;
  });
}

const DUPLICATE_TABLE = '42P07';

const taken = (name: string): HttpRefusal =>
  new HttpRefusal({ status: 409, sqlstate: DUPLICATE_TABLE }, `there is a relation ${name} already`, {
    hint: 'Upload under another name, or drop the table first: DELETE /v1/datasets/….',
  });

function load(
  on: RoleTransaction,
  name: string,
  { format, body, maxBytes, maxImageBytes, statementMs: maxMs }: UploadOptions,
  { role, signal }: SignedIn,
): Promise<{ columns: UploadedColumn[]; rows: number }> {
  if (Buffer.isBuffer(body)) {
    return format === 'zip'
      ? loadImages(on, { name, archive: body, maxImageBytes })
      : loadParquet(on, { role, name, file: body, maxMs, signal });
  }
  return loadTexts(on, { name, format: format === 'csv' ? 'csv' : 'json-lines', bytes: bounded(body, maxBytes) });
}

async function* bounded(body: Readable, maxBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new RequestTooLarge('the uploaded file is too large', {
        detail: `The maximum is ${maxBytes} bytes.`,
        hint: 'Use COPY in psql for larger ones.',
      });
    }
    yield chunk;
  }
}
