import type { Readable } from 'node:stream';
import type { Queryable } from '../../db/database.ts';
import type { RoleTransaction } from '../../db/role-login.ts';
import { RequestTooLarge } from '../../errors/errors.ts';
import { HttpRefusal } from '../error-answer.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';
import type { Destination, Uploaded } from './destination.ts';
import { existingTable } from './existing-table.ts';
import { type NewTable, newTable } from './new-table.ts';
import { loadParquet, parquetTurn } from './parquet.ts';
import { loadTexts } from './texts.ts';
import { loadImages } from './zipped-images.ts';

export type UploadFormat = 'csv' | 'json-lines' | 'parquet' | 'zip';

export interface UploadedFile {
  format: UploadFormat;
  /** A stream of texts; bytes of the other formats. */
  body: Readable | Buffer;
  maxBytes: number;
  /** How long no byte may come. */
  maxIdleMs: number;
  /** Of an image in an archive. */
  maxImageBytes: number;
  statementMs: number;
}

type Uploader = Pick<SignedIn, 'role' | 'signal' | 'transaction'>;

/** Makes a table of a file, in one transaction of the role. */
export const upload = (role: Uploader, table: NewTable, file: UploadedFile): Promise<Uploaded> =>
  load(role, file, (on) => newTable(on, table)).catch((error: unknown) => {
    throw (error as { code?: unknown }).code === DUPLICATE_TABLE ? taken(table.table) : error;
  });

/** Appends the rows of a file to a table: all of them, or none. */
export const append = (role: Uploader, dataset: string, file: UploadedFile): Promise<Uploaded> =>
  load(role, file, (on) => existingTable(on, dataset));

const DUPLICATE_TABLE = '42P07';

const taken = (name: string): HttpRefusal =>
  new HttpRefusal({ status: 409, sqlstate: DUPLICATE_TABLE }, `there is a relation "${name}" already`, {
    hint: 'Append the rows to it: POST /v1/datasets/…/rows. Or upload under another name, or drop the table first: DELETE /v1/datasets/….',
  });

function load(role: Uploader, file: UploadedFile, open: (on: Queryable) => Promise<Destination>): Promise<Uploaded> {
  const { format, statementMs } = file;
  const work = (): Promise<Uploaded> =>
    role.transaction(async (on) => loadFile(on, file, await open(on), role.signal), { statementMs });
  return format === 'parquet' ? parquetTurn(role, work) : work();
}

function loadFile(
  on: RoleTransaction,
  { format, body, maxBytes, maxIdleMs, maxImageBytes, statementMs }: UploadedFile,
  destination: Destination,
  signal: AbortSignal | undefined,
): Promise<Uploaded> {
  if (Buffer.isBuffer(body)) {
    return format === 'zip'
      ? loadImages(on, { archive: body, maxImageBytes }, destination)
      : loadParquet(on, { file: body, maxMs: statementMs, signal }, destination);
  }
  const bytes = bounded(body, { maxBytes, maxIdleMs, statementMs });
  return loadTexts(on, { format: format === 'csv' ? 'csv' : 'json-lines', bytes }, destination);
}

/** In size, in all its time, and in that which the client lets pass without a byte: not while Postgres takes them. */
async function* bounded(
  body: Readable,
  { maxBytes, maxIdleMs, statementMs: maxMs }: Pick<UploadedFile, 'maxBytes' | 'maxIdleMs' | 'statementMs'>,
): AsyncGenerator<Buffer> {
  const untilMs = performance.now() + maxMs;
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  for (let bytes = 0; ; ) {
    const { value: chunk, done } = await within(Math.min(maxIdleMs, untilMs - performance.now()), chunks.next());
    if (done === true) return;
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

function within<T>(maxMs: number, awaited: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(stalled(maxMs)), Math.max(0, maxMs));
  });
  return Promise.race([awaited, late]).finally(() => clearTimeout(timer));
}

const stalled = (waitedMs: number): HttpRefusal =>
  new HttpRefusal({ status: 408, sqlstate: '57014' }, 'the uploaded file did not arrive in time', {
    detail: waitedMs > 0 ? `No byte of it came for ${Math.ceil(waitedMs / 1000)} s.` : 'Its time is over.',
    hint: 'Upload it again.',
  });
