import type { Readable } from 'node:stream';
import type { Queryable } from '../../db/database.ts';
import { quoted } from '../../db/quoted.ts';
import type { RoleTransaction } from '../../db/role-login.ts';
import { RequestTooLarge } from '../../errors/errors.ts';
import { HttpRefusal } from '../error-answer.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';
import { loadParquet, parquetTurn } from './parquet.ts';
import { loadTexts, type UploadedColumn } from './texts.ts';
import { loadImages } from './zipped-images.ts';

export type UploadFormat = 'csv' | 'json-lines' | 'parquet' | 'zip';

export interface UploadOptions {
  /** Default: the role's own schema if it has one, else "public", as Postgres's default search path has it. */
  schema: string | undefined;
  table: string;
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

/** What an upload became. */
export interface Uploaded {
  dataset: string;
  rows: number;
  columns: UploadedColumn[];
}

type Uploader = Pick<SignedIn, 'role' | 'signal' | 'transaction'>;

/** Makes a table of a file, in one transaction of the role. */
export function upload(role: Uploader, options: UploadOptions): Promise<Uploaded> {
  const { schema: named, table, format, statementMs } = options;
  const create = (): Promise<Uploaded> =>
    role.transaction(
      async (on) => {
        const schema = named ?? (await usualSchema(on));
        await checkCreate(on, schema);
        const name = `${quoted(schema)}.${quoted(table)}`;
        const { columns, rows } = await load(on, name, options, role.signal);
        await on.query(`analyze ${name}`);
        return { dataset: `${schema}.${table}`, rows, columns };
      },
      { statementMs },
    );
  return (format === 'parquet' ? parquetTurn(role, create) : create()).catch((error: unknown) => {
    throw (error as { code?: unknown }).code === DUPLICATE_TABLE ? taken(table) : error;
  });
}

const DUPLICATE_TABLE = '42P07';

/** As rafiki._relation_named looks for names, so that a name means the table that was uploaded. */
async function usualSchema(on: Queryable): Promise<string> {
  const [row] = await on.query<{ schema: string }>(`select coalesce(rafiki._own_schema(), 'public')::text as schema`);
  return row?.schema ?? 'public';
}

/** Before the file is read. A schema that does not exist is refused by Postgres. */
async function checkCreate(on: Queryable, schema: string): Promise<void> {
  const [found] = await on.query<{ mayCreate: boolean; role: string }>(
    `select has_schema_privilege(n.oid, 'create') as "mayCreate", quote_ident(current_user) as role
     from pg_catalog.pg_namespace n where n.nspname = $1`,
    [schema],
  );
  if (found?.mayCreate !== false) return;
  const { role } = found;
  throw new HttpRefusal({ status: 403, sqlstate: '42501' }, `permission denied for schema ${schema}`, {
    detail: `Role ${role} may not create tables there.`,
    hint: `Have an administrator run: create schema ${role} authorization ${role}; or: grant create on schema ${quoted(schema)} to ${role};`,
  });
}

const taken = (name: string): HttpRefusal =>
  new HttpRefusal({ status: 409, sqlstate: DUPLICATE_TABLE }, `there is a relation "${name}" already`, {
    hint: 'Upload under another name, or drop the table first: DELETE /v1/datasets/….',
  });

function load(
  on: RoleTransaction,
  name: string,
  { format, body, maxBytes, maxIdleMs, maxImageBytes, statementMs }: UploadOptions,
  signal: AbortSignal | undefined,
): Promise<{ columns: UploadedColumn[]; rows: number }> {
  if (Buffer.isBuffer(body)) {
    return format === 'zip'
      ? loadImages(on, { name, archive: body, maxImageBytes })
      : loadParquet(on, { name, file: body, maxMs: statementMs, signal });
  }
  return loadTexts(on, {
    name,
    format: format === 'csv' ? 'csv' : 'json-lines',
    bytes: bounded(body, { maxBytes, maxIdleMs, statementMs }),
  });
}

/** In size, in all its time, and in that which the client lets pass without a byte: not while Postgres takes them. */
async function* bounded(
  body: Readable,
  { maxBytes, maxIdleMs, statementMs: maxMs }: Pick<UploadOptions, 'maxBytes' | 'maxIdleMs' | 'statementMs'>,
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
