import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { labelOf, type NamedLabel, type TaskKind } from '../domain/kinds/kind.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import { TableRow } from '../domain/table.ts';
import { inputOf, type RawInput, type Task } from '../domain/task.ts';
import { CorruptParams } from '../errors/errors.ts';
import { linesOf } from './lines.ts';
import { isOfShard, type Shard } from './shard.ts';
import { type LabelledTable, readTable } from './table-file.ts';

/** A row of a source: its input, and its class, number or objects. */
export interface LabelledRow extends ValidationMark {
  input: RawInput;
  label: NamedLabel;
}

export interface LabelledText extends LabelledRow {
  input: string;
  label: string;
}

export interface LabelledImage extends LabelledRow {
  input: Uint8Array;
}

interface ValidationMark {
  /** Whether the row is for validation, if the study's owner chose the validation rows; otherwise its input decides. */
  validates?: boolean;
}

/** The rows of a shard. */
export interface ShardRows {
  rows: LabelledRow[];
  /** Of all rows, those of other shards included; undefined if there is one shard. */
  known?: readonly string[];
}

/**
 * The rows of a shard of a data file; only texts have several. Texts are lines, each a JSON array [label, text] or [label, text, validates]. Images are records: the
 * sizes of label and image (uint32, little endian), the validation flag (a byte: 0 unset, 1 training, 2 validation), the label as
 * JSON, and the unchanged image file. Rows of several columns are blocks (`table-blocks.ts`). The last 32 bytes are the SHA-256 of the
 * rest. Throws {@link CorruptParams} for a damaged file and deletes it: the next attempt reads the source again.
 */
export async function readShard(file: string, task: Task, shard: Shard): Promise<ShardRows> {
  try {
    switch (inputOf(task)) {
      case 'text':
        return await textsOf(file, kindOf(task), shard);
      case 'image':
        return { rows: imagesOf(await intactBytes(file), kindOf(task)) };
      case 'columns':
        return { rows: tableRowsOf(await readTable(intactChunks(file))) };
    }
  } catch (error) {
    if (!(error instanceof CorruptParams || error instanceof SyntaxError)) throw error;
    await rm(file, { force: true });
    throw error instanceof CorruptParams ? error : unreadable();
  }
}

/** Whether the file ends with the hash of its bytes. */
export async function isDataFileIntact(file: string): Promise<boolean> {
  try {
    for await (const _ of intactChunks(file));
    return true;
  } catch (error) {
    if (error instanceof CorruptParams) return false;
    throw error;
  }
}

const HASH_BYTES = 32;

/** In parts: neither `readFile` nor a hash takes more than 2 GB at once. */
async function intactBytes(file: string): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(Math.max(0, (await stat(file)).size - HASH_BYTES));
  let length = 0;
  for await (const chunk of intactChunks(file)) {
    bytes.set(chunk, length);
    length += chunk.length;
  }
  return bytes.subarray(0, length);
}

/** Throws at the end if the hash differs: results from the chunks must then be discarded. */
async function* intactChunks(file: string): AsyncGenerator<Buffer> {
  const handle = await open(file);
  try {
    const end = (await handle.stat()).size - HASH_BYTES;
    if (end < 0) throw unreadable();
    const expected = Buffer.alloc(HASH_BYTES);
    await handle.read(expected, 0, HASH_BYTES, end);
    const hash = createHash('sha256');
    if (end > 0) {
      for await (const chunk of createReadStream(file, { end: end - 1 }) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        yield chunk;
      }
    }
    if (!hash.digest().equals(expected)) throw unreadable();
  } finally {
    await handle.close();
  }
}

async function textsOf(file: string, kind: TaskKind, shard: Shard): Promise<ShardRows> {
  const rows: LabelledRow[] = [];
  const known = new Set<string>();
  for await (const lines of linesOf(intactChunks(file))) {
    for (const line of lines) {
      if (line === null) continue;
      const row = parseRow(line);
      const label = kind.isLabel(row.label) ? row.label : labelOf(kind, row.label);
      if (shard.count > 1) for (const name of kind.classesOf(label)) known.add(name);
      if (isOfShard(row.input, shard)) rows.push(label === row.label ? row : { ...row, label });
    }
  }
  return shard.count === 1 ? { rows } : { rows, known: [...known] };
}

function tableRowsOf(table: LabelledTable): LabelledRow[] {
  return table.labels.map((label, row) => {
    const validates = validationFlags[table.flags[row] ?? 0];
    return { label, input: new TableRow(table, row), ...validationMark(validates) };
  });
}

const HEAD_BYTES = 9;
/** A row's `validates` by the byte of its validation flag. */
export const validationFlags = [undefined, false, true] as const;

/** One record; the image is not copied twice. */
export function imageRecord({ input, label, validates }: LabelledImage): Buffer {
  const json = Buffer.from(JSON.stringify(label));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(json.length, 0);
  head.writeUInt32LE(input.length, 4);
  head.writeUInt8(validationFlags.indexOf(validates), 8);
  return Buffer.concat([head, json, input]);
}

/** The images share the memory of the file. */
function imagesOf(file: Buffer, kind: TaskKind): LabelledImage[] {
  const rows: LabelledImage[] = [];
  for (let at = 0; at < file.length; ) {
    if (at + HEAD_BYTES > file.length) throw unreadable();
    const labelAt = at + HEAD_BYTES;
    const imageAt = labelAt + file.readUInt32LE(at);
    const end = imageAt + file.readUInt32LE(at + 4);
    if (end > file.length) throw unreadable();
    const label = parseLabel(file.subarray(labelAt, imageAt).toString(), kind); // positions in toString have 31 bits
    rows.push({ label, input: file.subarray(imageAt, end), ...validationMark(validationFlags[file[at + 8] ?? 0]) });
    at = end;
  }
  return rows;
}

function parseLabel(json: string, kind: TaskKind): NamedLabel {
  const label: unknown = JSON.parse(json);
  if (kind.isLabel(label)) return label;
  throw unreadable();
}

/** A line as the reader of a source writes it, which names a row of several columns if it can. Throws {@link CorruptParams}. */
export function parseRow(line: string): LabelledText & { name?: string } {
  const row: unknown = JSON.parse(line);
  if (Array.isArray(row) && typeof row[0] === 'string' && typeof row[1] === 'string') {
    const [label, input, validates, name] = row;
    return { label, input, ...validationMark(validates), ...(typeof name === 'string' && name !== '' ? { name } : {}) };
  }
  throw unreadable();
}

const validationMark = (validates: unknown): ValidationMark => (typeof validates === 'boolean' ? { validates } : {});

const unreadable = (): CorruptParams =>
  new CorruptParams('the cached data file is damaged', {
    hint: 'It was deleted: the next attempt reads the source again.',
  });
