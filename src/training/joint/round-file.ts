import { closeSync, constants, fstatSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { CorruptParams } from '../../errors/errors.ts';

// A file of a round: the length of its head (uint32, little endian), the head as JSON, and vectors. It has one writer, who
// replaces it as a whole, so that a reader gets the old or the new one; or, if its size stays, overwrites it in place, in which the length
// is 0 meanwhile, and readers find that the start has changed when they have read the rest. It is not written through to the disk: after a failure of
// the machine nobody needs it. Reads and writes are synchronous, because a thread pool takes longer than such a look.

type RoundVector = Float64Array | Float32Array | Uint16Array;

const vectorTypes = { double: Float64Array, single: Float32Array, half: Uint16Array };

interface VectorForm {
  type: keyof typeof vectorTypes;
  length: number;
}

interface StoredHead<Head> {
  head: Head;
  vectors: VectorForm[];
}

export interface RoundFile<Head> {
  head: Head;
  vectors: RoundVector[];
}

/** A foreign file of the folder may be a link, or a pipe, which would block. */
const GUARDED = constants.O_NOFOLLOW | constants.O_NONBLOCK;
const READ = constants.O_RDONLY | GUARDED;
const UPDATE = constants.O_WRONLY | GUARDED;
const WRITE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | GUARDED;

const LENGTH_BYTES = 4;
/** Of a head: it has some numbers for each of 64 workers at most. */
const MAX_HEAD_BYTES = 64 * 1024;

export function writeRoundFile<Head>(file: string, content: RoundFile<Head>): void {
  replaceFile(file, startOf(content), content.vectors);
}

/** Heads of in-place files are filled up to this: their numbers get longer. */
const HEAD_UNIT = 256;
const SPACE = 0x20;

/** The same in place where the size allows it: a new file takes many times as long, and a forest has many small rounds. */
export function updateRoundFile<Head>(file: string, content: RoundFile<Head>): void {
  const { vectors } = content;
  const given = startOf(content);
  const start = Buffer.alloc(Math.ceil(given.length / HEAD_UNIT) * HEAD_UNIT, SPACE);
  given.copy(start);
  start.writeUInt32LE(start.length - LENGTH_BYTES);
  const bytes = vectors.reduce((sum, { byteLength }) => sum + byteLength, start.length);
  const isUpdated = withExisting(file, UPDATE, (descriptor) => {
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || stat.size !== bytes) return false;
    writeAll(descriptor, Buffer.alloc(LENGTH_BYTES), 0);
    let at = LENGTH_BYTES;
    for (const piece of [start.subarray(LENGTH_BYTES), ...vectors]) {
      writeAll(descriptor, piece, at);
      at += piece.byteLength;
    }
    writeAll(descriptor, start.subarray(0, LENGTH_BYTES), 0);
    return true;
  });
  if (isUpdated !== true) replaceFile(file, start, vectors);
}

/** Length and head. */
function startOf<Head>({ head, vectors }: RoundFile<Head>): Buffer {
  const stored: StoredHead<Head> = {
    head,
    vectors: vectors.map((vector) => ({ type: typeOf(vector), length: vector.length })),
  };
  const json = Buffer.from(JSON.stringify(stored));
  const size = Buffer.alloc(LENGTH_BYTES);
  size.writeUInt32LE(json.length);
  return Buffer.concat([size, json]);
}

function replaceFile(file: string, start: Buffer, vectors: readonly RoundVector[]): void {
  const unfinished = `${file}.tmp`;
  closing(openSync(unfinished, WRITE, 0o600), (descriptor) => {
    let at = 0;
    for (const piece of [start, ...vectors]) {
      writeAll(descriptor, piece, at);
      at += piece.byteLength;
    }
  });
  renameSync(unfinished, file);
}

function typeOf(vector: RoundVector): VectorForm['type'] {
  if (vector instanceof Float64Array) return 'double';
  return vector instanceof Float32Array ? 'single' : 'half';
}

export interface ReadingOptions {
  /** To read into, where they have type and length. */
  spare?: readonly RoundVector[];
  /** For tests: called between what is read and the look whether it has changed meanwhile. */
  betweenReads?(): void;
}

/** Undefined if there is no such file, or it is just being written. Throws CorruptParams if it is none of a round. */
export const readRoundHead = <Head>(file: string, { betweenReads }: ReadingOptions = {}): Head | undefined =>
  readExisting(file, (descriptor) => readHead<Head>(descriptor, betweenReads)?.stored.head);

/** The same of all of it. */
export function readRoundFile<Head>(
  file: string,
  { spare = [], betweenReads }: ReadingOptions = {},
): RoundFile<Head> | undefined {
  return readExisting(file, (descriptor) => {
    const found = readHead<Head>(descriptor);
    if (found === undefined) return undefined;
    const { stored, start, size } = found;
    const bytes = stored.vectors.reduce(
      (sum, { type, length }) => sum + vectorTypes[type].BYTES_PER_ELEMENT * length,
      0,
    );
    if (start.length + bytes !== size) throw damaged();
    let at = start.length;
    const vectors = stored.vectors.map(({ type, length }, i) => {
      const given = spare[i];
      const isFit = given instanceof vectorTypes[type] && given.length === length;
      const vector = isFit ? given : new vectorTypes[type](length);
      readAll(descriptor, vector, at);
      at += vector.byteLength;
      return vector;
    });
    betweenReads?.();
    return isUnchanged(descriptor, start) ? { head: stored.head, vectors } : undefined;
  });
}

interface FoundHead<Head> {
  stored: StoredHead<Head>;
  /** Length and head, as bytes. */
  start: Buffer;
  /** Of the file. */
  size: number;
}

function readHead<Head>(descriptor: number, betweenReads?: () => void): FoundHead<Head> | undefined {
  const stat = fstatSync(descriptor);
  if (!stat.isFile()) throw damaged();
  const prefix = Buffer.alloc(LENGTH_BYTES);
  readAll(descriptor, prefix, 0);
  const length = prefix.readUInt32LE();
  if (length === 0) return undefined;
  if (length > MAX_HEAD_BYTES) throw damaged();
  const start = Buffer.alloc(LENGTH_BYTES + length);
  readAll(descriptor, start, 0);
  betweenReads?.();
  if (!isUnchanged(descriptor, start) || start.readUInt32LE() !== length) return undefined;
  return { stored: JSON.parse(start.toString('utf8', LENGTH_BYTES)) as StoredHead<Head>, start, size: stat.size };
}

/** Whether nobody has begun to write since the start was read. */
function isUnchanged(descriptor: number, start: Buffer): boolean {
  const again = Buffer.alloc(start.length);
  readAll(descriptor, again, 0);
  return again.equals(start);
}

function readExisting<Result>(file: string, read: (descriptor: number) => Result): Result | undefined {
  return withExisting(file, READ, (descriptor) => {
    try {
      return read(descriptor);
    } catch (error) {
      throw foreign(file, error);
    }
  });
}

/** What cannot be opened is foreign; errors of `work` are its own: a full disk says nothing about the file. */
function withExisting<Result>(file: string, flags: number, work: (descriptor: number) => Result): Result | undefined {
  const descriptor = openExisting(file, flags);
  return descriptor === undefined ? undefined : closing(descriptor, work);
}

function openExisting(file: string, flags: number): number | undefined {
  try {
    return openSync(file, flags);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw foreign(file, error);
  }
}

function closing<Result>(descriptor: number, work: (descriptor: number) => Result): Result {
  try {
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function writeAll(descriptor: number, piece: Uint8Array | RoundVector, at: number): void {
  const bytes = bytesOf(piece);
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done, bytes.length - done, at + done);
}

function readAll(descriptor: number, into: Uint8Array | RoundVector, at: number): void {
  const bytes = bytesOf(into);
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(descriptor, bytes, done, bytes.length - done, at + done);
    if (read === 0) throw damaged();
    done += read;
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint8Array | RoundVector): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const damaged = (): RangeError => new RangeError('it has another length, or is no regular file');

const foreign = (file: string, cause: unknown): CorruptParams =>
  new CorruptParams('a file that workers of this machine exchange is damaged', {
    detail: `${file}: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'The trial continues without the worker that has this file. Find out what else writes there.',
    cause,
  });
