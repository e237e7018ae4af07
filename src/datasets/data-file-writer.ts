import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { DataTooLarge } from '../errors/errors.ts';
import { sizeText } from '../runtime/byte-size.ts';

/** Default maximum size of a study's rows: a trial reads the whole file into memory. */
export const DATA_LIMIT_BYTES = 4 * 2 ** 30;

/** Counts the bytes read from a source, including skipped rows. Throws DataTooLarge above the limit. */
export function byteLimit(limitBytes: number): (bytes: number) => void {
  let readBytes = 0;
  return (bytes) => {
    readBytes += bytes;
    if (readBytes <= limitBytes) return;
    throw new DataTooLarge('the data of a study is too large', {
      detail: `${sizeText(readBytes)} were read so far; the limit is ${sizeText(limitBytes)}.`,
      hint: `Train on a view with fewer rows, or raise RAFIKI_DATA_LIMIT where the workers start.`,
    });
  };
}

/** Writes a data file in the format of `data-file.ts`, ending with the hash of its bytes. */
export class DataFileWriter extends Writable {
  readonly #path: string;
  readonly #hash = createHash('sha256');
  #file: FileHandle | undefined;
  /** A stream may be destroyed in the middle of a write. */
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    super();
    this.#path = path;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#hash.update(chunk);
    void settle(this.#append(chunk), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    void settle(this.#append(this.#hash.digest()), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const closing = this.#writing.catch(() => undefined).then(() => this.#file?.close());
    void settle(closing, (failed) => done(error ?? failed));
  }

  #append(bytes: Buffer): Promise<void> {
    this.#writing = this.#appendNow(bytes);
    return this.#writing;
  }

  async #appendNow(bytes: Buffer): Promise<void> {
    this.#file ??= await open(this.#path, 'wx', 0o600);
    await this.#file.appendFile(bytes); // appendFile writes all bytes, write maybe not
  }
}

async function settle(work: Promise<unknown>, done: (error?: Error | null) => void): Promise<void> {
  await work.then(
    () => done(),
    (error: Error) => done(error),
  );
}
