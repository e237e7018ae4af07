import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { type FileMetaData, parquetSchema } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, test } from 'vitest';
import type { RoleTransaction } from '../../../src/db/role-login.ts';
import type { Uploaded } from '../../../src/http/upload/destination.ts';
import { loadParquet } from '../../../src/http/upload/parquet.ts';
import { asWritten } from '../../../src/http/upload/parquet-texts.ts';
import { upload } from '../../../src/http/upload/upload.ts';
import { noDestination } from '../../support/no-destination.ts';

const file = Buffer.from(parquetWriteBuffer({ columnData: [{ name: 'id', data: [1n, 2n], type: 'INT64' }] }));

/** A database that answers its first statement only when it is told to. */
function held(): { on: RoleTransaction; asked: Promise<void>; release: () => void } {
  let arrived = (): void => undefined;
  let release = (): void => undefined;
  const asked = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const on: RoleTransaction = {
    async query<Row>() {
      arrived();
      await released;
      return [{ rows: 2 }] as Row[];
    },
    async copyIn(_, rows) {
      for await (const row of rows) expect(String(row)).toBe('1\n2\n');
    },
  };
  return { on, asked, release };
}

interface Role {
  role: string;
  on: RoleTransaction;
  signal?: AbortSignal;
}

/** Uploads the file in a transaction of the role, which counts as begun. */
function uploaded({ role, on, signal }: Role, begun = (): void => undefined): Promise<Uploaded> {
  const transaction = async <T>(work: (on: RoleTransaction) => Promise<T>): Promise<T> => {
    begun();
    return work(on);
  };
  const limits = { maxBytes: 2 ** 20, maxIdleMs: 60_000, maxImageBytes: 2 ** 20, statementMs: 60_000 };
  return upload(
    { role, signal, transaction },
    { schema: 'public', table: 't' },
    { ...limits, format: 'parquet', body: file },
  );
}

const answer = { dataset: 'public.t', columns: [{ name: 'id', type: 'bigint' }], rows: 2 };

test("one role's files do not keep another's waiting", { timeout: 60_000 }, async () => {
  const own = [held(), held(), held()];
  const loading = own.map(({ on }) => uploaded({ role: 'ann', on }));
  const other = held();
  const others = uploaded({ role: 'bob', on: other.on });
  await other.asked;
  for (const { release } of [...own, other]) release();
  for (const each of [...loading, others]) expect(await each).toEqual(answer);
});

test('a file that waits for its turn has no transaction, and too many are refused', { timeout: 60_000 }, async () => {
  const client = new AbortController();
  let begun = 0;
  const own = (on: RoleTransaction, signal?: AbortSignal) =>
    uploaded({ role: 'ann', on, ...(signal && { signal }) }, () => void begun++);
  const { on, asked, release } = held();
  const first = own(on);
  await asked;
  const waiting = Array.from({ length: 16 }, () => own(on, client.signal));
  await expect(own(on)).rejects.toMatchObject({ sqlstate: '53400' });
  client.abort();
  release();
  expect(await first).toEqual(answer);
  for (const each of await Promise.allSettled(waiting)) expect(each).toMatchObject({ reason: { sqlstate: '57014' } });
  expect(begun).toBe(1);
});

test('a file whose client has gone while it waited is not read', async () => {
  let begun = 0;
  const leaving = uploaded({ role: 'ann', on: held().on, signal: AbortSignal.abort() }, () => void begun++);
  await expect(leaving).rejects.toMatchObject({ sqlstate: '57014' });
  expect(begun).toBe(0);
});

/** Of the children of this process those that read a file. */
const readers = (): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      const [, ppid] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      return Number(ppid) === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('parquet-child');
    } catch {
      return false;
    }
  });

test.runIf(process.platform === 'linux')(
  'the process that reads a file has limits, a low priority and no environment',
  { timeout: 60_000 },
  async () => {
    const { on, asked, release } = held();
    const loading = loadParquet(on, { file, maxMs: 60_000, signal: undefined }, (columns) =>
      on.query('').then(() => noDestination(columns)),
    );
    await asked;
    const [pid = ''] = readers();
    const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
    expect(limits).toMatch(/^Max address space +\d+ /m);
    expect(limits).toMatch(/^Max open files +256 /m);
    expect(limits).toMatch(/^Max core file size +0 /m);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toMatch(/PATH=|HOME=/);
    expect(getPriority(Number(pid))).toBe(Math.min(getPriority() + 5, 19));
    release();
    await loading;
  },
);

test('decimals within lists are refused if they would lose digits', () => {
  const file = (precision: number): FileMetaData => ({
    ...{ version: 1, num_rows: 0n, row_groups: [], metadata_length: 0 },
    schema: [
      { name: 'root', num_children: 1 },
      { name: 'prices', num_children: 1, converted_type: 'LIST', repetition_type: 'OPTIONAL' },
      { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
      { name: 'price', type: 'INT64', logical_type: { type: 'DECIMAL', precision, scale: 2 } },
    ],
  });
  const read = (metadata: FileMetaData): FileMetaData => asWritten(metadata, parquetSchema(metadata));
  expect(() => read(file(16))).toThrow(/"price" has decimals of 16 digits within lists/);
  expect(read(file(15)).schema[3]).toMatchObject({ converted_type: 'DECIMAL', scale: 2 });
});
