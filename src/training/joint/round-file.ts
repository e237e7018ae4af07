import { closeSync, constants, fstatSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { CorruptParams } from '../../errors/errors.ts';

// A file of a round: the length of its head (uint32, little endian), the head as JSON, and vectors. It has one writer, who
// replaces it as a whole, so that a reader gets the old or the new one. It is not written through to the disk: after a failure of
// the machine nobody needs it. Reads and writes are synchronous, because a thread pool's share of a look is larger than the look's.

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
const WRITE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | GUARDED;

const LENGTH_BYTES = 4;
/** Of a head: it has some numbers for each of 64 workers at most. */
const MAX_HEAD_BYTES = 64 * 1024;

export function writeRoundFile<Head>(file: string, { head, vectors }: RoundFile<Head>): void {
  const stored: StoredHead<Head> = {
    head,
    vectors: vectors.map((vector) => ({
      type: typeOf(vector),
      length: vector.length,
    })),
  };
  const json = Buffer.from(JSON.stringify(stored));
  const size = Buffer.alloc(LENGTH_BYTES);
  size.writeUInt32LE(json.length);
  const unfinished = `${file}.tmp`;
  withFile(unfinished, WRITE, (descriptor) => {
    for (const part of [size, json, ...vectors]) writeAll(descriptor, part);
  });
  renameSync(unfinished, file);
}

function typeOf(vector: RoundVector): VectorForm['type'] {
  if (vector instanceof Float64Array) return 'double';
  return vector instanceof Float32Array ? 'single' : 'half';
}

/** Undefined if there is no such file. Throws CorruptParams if it is none of a round. */
export const readRoundHead = <Head>(file: string): Head | undefined =>
  openExisting(file, (descriptor) => readHead<Head>(descriptor).stored.head);

export function readRoundFile<Head>(file: string): RoundFile<Head> | undefined {
  return openExisting(file, (descriptor) => {
    const { stored, end, size } = readHead<Head>(descriptor);
    const bytes = stored.vectors.reduce(
      (sum, { type, length }) => sum + vectorTypes[type].BYTES_PER_ELEMENT * length,
      0,
    );
    if (end + bytes !== size) throw damaged();
    let at = end;
    const vectors = stored.vectors.map(({ type, length }) => {
      const vector = new vectorTypes[type](length);
      readAll(descriptor, vector, at);
      at += vector.byteLength;
      return vector;
    });
    return { head: stored.head, vectors };
  });
}

function readHead<Head>(descriptor: number): { stored: StoredHead<Head>; end: number; size: number } {
  const stat = fstatSync(descriptor);
  if (!stat.isFile()) throw damaged();
  const prefix = Buffer.alloc(LENGTH_BYTES);
  readAll(descriptor, prefix, 0);
  const length = prefix.readUInt32LE();
  if (length > MAX_HEAD_BYTES) throw damaged();
  const json = Buffer.alloc(length);
  readAll(descriptor, json, LENGTH_BYTES);
  return { stored: JSON.parse(json.toString()) as StoredHead<Head>, end: LENGTH_BYTES + length, size: stat.size };
}

function openExisting<Result>(file: string, work: (descriptor: number) => Result): Result | undefined {
  try {
    return withFile(file, READ, work);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw foreign(file, error);
  }
}

function withFile<Result>(file: string, flags: number, work: (descriptor: number) => Result): Result {
  const descriptor = openSync(file, flags, 0o600);
  try {
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function writeAll(descriptor: number, part: Uint8Array | RoundVector): void {
  const bytes = bytesOf(part);
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
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
    hint: 'The trial continues without the worker that has this file. Rafiki writes it whole: find out what else writes there.',
    cause,
  });
