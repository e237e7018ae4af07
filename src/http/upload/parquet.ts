import type { RoleTransaction } from '../../db/role-login.ts';
import { BadData, Cancelled, RequestTooLarge } from '../../errors/errors.ts';
import { ownFile } from '../../runtime/disk/own-file.ts';
import { LimitedProcess } from '../../runtime/limited/limited-process.ts';
import { FairGate } from '../fair-gate.ts';
import { checkNames } from './column-names.ts';
import type { Destination, Uploaded } from './destination.ts';
import type { ParquetOrder, ParquetReply } from './parquet-child.ts';

export interface ParquetFile {
  file: Buffer;
  maxMs: number;
  signal: AbortSignal | undefined;
}

const entry = ownFile(import.meta.url, './parquet-child');

/** Of a process that reads a file: besides JavaScript's objects the file and a page that is unpacked; its priority, and its time for one part. */
const MEMORY_BYTES = 1.5 * 2 ** 30;
const NICE = 5;
const PART_MS = 60_000;
/** Those that read at the same time: one of a role. */
const MAX_PROCESSES = 2;
const MAX_UNPACKED_BYTES = 2 ** 30;
/** Of a reply: no text of Node is longer. */
const MAX_PART_BYTES = 2 ** 29;
/** The names of columns, of which Postgres has 1600 at most; rows are one text. */
const REPLY_EXTENT = { jsonBytes: 2 ** 21, parts: 2000 };
const MAX_DETAIL_CHARS = 300;

const processes = new FairGate({
  what: 'Parquet files',
  places: MAX_PROCESSES,
  placesOfRole: 1,
  waitingOfRole: 16,
});

/** Waits until the role may read a file. Before its transaction begins: one that waits would keep its place and its snapshot. */
export function parquetTurn<T>(
  { role, signal }: { role: string; signal: AbortSignal | undefined },
  work: () => Promise<T>,
): Promise<T> {
  return processes.run(role, () => {
    if (signal?.aborted) throw gone();
    return work();
  });
}

/**
 * Brings the rows of a Parquet file to their destination. A process of its own reads it, with the limits of those for imported models: a few bytes of a file
 * can claim any number of values. Throws {@link BadData}.
 */
export async function loadParquet(
  on: RoleTransaction,
  { file, maxMs, signal }: ParquetFile,
  destination: Destination,
): Promise<Uploaded> {
  const reader = await LimitedProcess.start({
    ...{ entry, memoryBytes: MEMORY_BYTES, reads: [], nice: NICE },
    onEnd: () => undefined,
  });
  const stop = (): void => void reader.kill();
  const timer = setTimeout(stop, maxMs);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    if (signal?.aborted) throw gone();
    const { columns = [] } = await ask(reader, { file }, signal);
    if (columns.some(({ type }) => !types.includes(type))) throw unreadable('It has columns of unknown types.');
    checkNames(columns.map((column) => column.name));
    const { table, finish } = await destination(columns);
    await on.copyIn(`copy ${table} from stdin`, rowsOf(reader, signal));
    return await finish();
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    await reader.kill();
  }
}

/** The types that the process may name. */
const types = ['boolean', 'bigint', 'numeric', 'float8', 'text', 'bytea', 'date', 'timestamp', 'timestamptz', 'jsonb'];

/** The rows, in parts; an error before their end if the process fails, so that nothing is committed. */
async function* rowsOf(reader: LimitedProcess, signal: AbortSignal | undefined): AsyncGenerator<string> {
  let bytes = 0;
  for (;;) {
    const { rows } = await ask(reader, {}, signal);
    if (rows === undefined) return;
    bytes += Buffer.byteLength(rows);
    if (bytes > MAX_UNPACKED_BYTES) {
      throw new RequestTooLarge('the Parquet file is too large', {
        detail: `Its rows have more than ${MAX_UNPACKED_BYTES} bytes.`,
        hint: 'Split it.',
      });
    }
    yield rows;
  }
}

async function ask(
  reader: LimitedProcess,
  order: ParquetOrder,
  signal: AbortSignal | undefined,
): Promise<Exclude<ParquetReply, { refused: string }>> {
  const limits = { limitMs: PART_MS, maxBytes: MAX_PART_BYTES, ...REPLY_EXTENT, read: readReply };
  const reply = await reader.order(order, limits).catch((cause: unknown) => {
    throw signal?.aborted ? gone() : unreadable('Reading it took too long, or too much memory.', cause);
  });
  if ('refused' in reply) throw unreadable(reply.refused);
  return reply;
}

/** A file is hostile, and what reads it may not be its own master. Throws for what is no reply. */
function readReply(answer: unknown): ParquetReply {
  const { refused, columns, rows }: { refused?: unknown; columns?: unknown; rows?: unknown } = Object(answer);
  if (typeof refused === 'string') return { refused };
  if (typeof rows === 'string') return { rows };
  if (columns === undefined && rows === undefined) return {};
  if (!Array.isArray(columns)) throw new TypeError('it answered with something else than columns or rows');
  return {
    columns: columns.map((column: unknown) => {
      const { name, type }: { name?: unknown; type?: unknown } = Object(column);
      if (typeof name !== 'string' || typeof type !== 'string')
        throw new TypeError('it answered with a column of no type');
      return { name, type };
    }),
  };
}

const gone = (): Cancelled => new Cancelled('the client has disconnected');

const unreadable = (detail: string, cause?: unknown): BadData =>
  new BadData('the Parquet file cannot be read', {
    detail: detail.slice(0, MAX_DETAIL_CHARS),
    hint: 'Write it with smaller row groups, or send CSV.',
    cause,
  });
