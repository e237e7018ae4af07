import { spawn } from 'node:child_process';
import { quoted } from '../../db/quoted.ts';
import type { RoleTransaction } from '../../db/role-login.ts';
import { BadData, Cancelled, RequestTooLarge } from '../../errors/errors.ts';
import { limitedCommand, lowerPriority } from '../../runtime/limited/limited-command.ts';
import { FairGate } from '../fair-gate.ts';
import { checkNames } from './column-names.ts';
import type { UploadedColumn } from './texts.ts';

export interface ParquetFile {
  role: string;
  /** Of the new table, quoted. */
  name: string;
  file: Buffer;
  maxMs: number;
  signal: AbortSignal | undefined;
}

/** Source files run through tsx, the build directly. */
const isSource = import.meta.url.endsWith('.ts');
const entry = new URL(isSource ? './parquet-child.ts' : './parquet-child.js', import.meta.url);

/** Of a process that reads a file: JavaScript's heap; that and what is outside of it, such as the file and a page; and its priority. */
const HEAP_MB = 768;
const MEMORY_BYTES = 1.5 * 2 ** 30;
const NICE = 5;
/** Those that read at the same time: one of a role. */
const MAX_PROCESSES = 2;
const MAX_HEADER_BYTES = 2 ** 20;
const MAX_UNPACKED_BYTES = 2 ** 30;
const MAX_ERROR_CHARS = 2_000;

const processes = new FairGate({
  what: 'Parquet files',
  places: MAX_PROCESSES,
  placesOfRole: 1,
  waitingOfRole: 16,
});

/**
 * Makes a table of a Parquet file, with its types. A process of its own reads it, with the limits of those for imported models: a few bytes of a file
 * can claim any number of values, and a process that runs out of memory ends. Throws {@link BadData}.
 */
export function loadParquet(
  on: RoleTransaction,
  file: ParquetFile,
): Promise<{ columns: UploadedColumn[]; rows: number }> {
  return processes.run(file.role, () => load(on, file));
}

async function load(
  on: RoleTransaction,
  { name, file, maxMs, signal }: ParquetFile,
): Promise<{ columns: UploadedColumn[]; rows: number }> {
  if (signal?.aborted) throw gone(); // while it waited
  const limited = limitedCommand({ entry, memoryBytes: MEMORY_BYTES, heapMb: HEAP_MB, reads: [] });
  const child = spawn(limited.file, limited.args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...limited.options,
    timeout: maxMs,
    killSignal: 'SIGKILL',
  });
  lowerPriority(child.pid, NICE);
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length < MAX_ERROR_CHARS) said += chunk.toString('utf8');
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
    child.once('error', () => resolve(null));
  });
  child.stdin.on('error', () => undefined); // it has ended: its exit says why
  child.stdin.end(file);
  try {
    const output = bounded(child.stdout);
    const header = await headerOf(output);
    if (header === undefined) throw failed(await ended, said, signal);
    checkNames(header.columns.map((column) => column.name));
    await on.query(
      `create table ${name} (${header.columns.map((column) => `${quoted(column.name)} ${column.type}`).join(', ')})`,
    );
    await on.copyIn(
      `copy ${name} from stdin`,
      restOf(header.rest, output, async () => {
        const code = await ended;
        if (code !== 0) throw failed(code, said, signal);
      }),
    );
    const [count] = await on.query<{ rows: number }>(`select count(*) as rows from ${name}`);
    return { columns: header.columns, rows: count?.rows ?? 0 };
  } finally {
    signal?.removeEventListener('abort', kill);
    kill();
    await ended;
  }
}

async function* bounded(output: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of output) {
    bytes += chunk.length;
    if (bytes > MAX_UNPACKED_BYTES) {
      throw new RequestTooLarge('the Parquet file is too large', {
        detail: `Its rows have more than ${MAX_UNPACKED_BYTES} bytes.`,
        hint: 'Split it.',
      });
    }
    yield chunk;
  }
}

interface ParquetHeader {
  columns: UploadedColumn[];
  /** What came after the first line. */
  rest: Buffer;
}

/** The types that the process may name. */
const types = ['boolean', 'bigint', 'numeric', 'float8', 'text', 'bytea', 'date', 'timestamp', 'timestamptz', 'jsonb'];

async function headerOf(output: AsyncGenerator<Buffer>): Promise<ParquetHeader | undefined> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < MAX_HEADER_BYTES) {
    const { value, done } = await output.next();
    if (done === true) return undefined;
    bytes = Buffer.concat([bytes, value]);
    const end = bytes.indexOf(0x0a);
    if (end < 0) continue;
    const { columns } = JSON.parse(bytes.toString('utf8', 0, end)) as { columns: UploadedColumn[] };
    if (columns.some(({ type }) => !types.includes(type))) return undefined;
    return { columns, rest: bytes.subarray(end + 1) };
  }
  return undefined;
}

/** The rows; an error before their end if the process failed, so that nothing is committed. */
async function* restOf(
  first: Buffer,
  output: AsyncGenerator<Buffer>,
  end: () => Promise<void>,
): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  yield* output;
  await end();
}

const gone = (): Cancelled => new Cancelled('the client has disconnected');

/** The process names what it refuses as JSON; otherwise it has crashed. */
function failed(code: number | null, said: string, signal: AbortSignal | undefined): Error {
  if (signal?.aborted) return gone();
  const [, detail] = /^refused: (.*)$/m.exec(said) ?? [];
  return new BadData('the Parquet file cannot be read', {
    detail:
      detail?.slice(0, 300) ??
      (code === null ? 'Reading it took too long, or too much memory.' : 'Reading it took too much memory.'),
    hint: 'Write it with smaller row groups, or send CSV.',
  });
}
