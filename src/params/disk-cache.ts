import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { diskError } from '../runtime/disk-error.ts';
import { checkPrivateDir, ensurePrivateDir } from '../runtime/private-dir.ts';

export interface DiskCacheOptions {
  dir: string;
  maxBytes: number;
}

/** Share of the bound that may be written before the folder is looked through again. */
const SLACK = 1 / 16;

/**
 * Files by name, read again without asking where they came from; the least recently used go when there are too many
 * bytes. Several processes of a machine share it. A name never changes its content; whoever reads checks it.
 */
export class DiskCache {
  readonly #dir: string;
  readonly #maxBytes: number;
  /** Bytes written since the folder was looked through last; another process's earlier files count as that many. */
  #unseen = Number.POSITIVE_INFINITY;

  constructor({ dir, maxBytes }: DiskCacheOptions) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
  }

  /** Of one file: a larger one would throw out most of the others, and is not kept. */
  get maxBytes(): number {
    return this.#maxBytes / 2;
  }

  async get(name: string): Promise<Buffer | undefined> {
    if (!(await checkPrivateDir(this.#dir))) return undefined;
    const file = path.join(this.#dir, name);
    try {
      const data = await readFile(file);
      const now = new Date();
      await utimes(file, now, now); // used just now
      return data;
    } catch (error) {
      if (isMissing(error)) return undefined; // or another process has deleted it just now
      throw error;
    }
  }

  has(name: string): boolean {
    return existsSync(path.join(this.#dir, name));
  }

  /** Under another name until it is complete: a file that is there is whole. */
  async set(name: string, data: Buffer): Promise<void> {
    if (data.length > this.maxBytes) return;
    await ensurePrivateDir(this.#dir);
    const file = path.join(this.#dir, name);
    const unfinished = `${file}.${randomUUID()}.tmp`;
    try {
      await writeFile(unfinished, data, { mode: 0o600, flag: 'wx' });
      await rename(unfinished, file);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw diskError(error, this.#dir);
    }
    this.#unseen += data.length;
    if (this.#unseen > this.#maxBytes * SLACK) await this.#trim();
  }

  async delete(name: string): Promise<void> {
    await rm(path.join(this.#dir, name), { force: true });
  }

  async #trim(): Promise<void> {
    this.#unseen = 0;
    const files = (await Promise.all((await readdir(this.#dir)).map((name) => this.#look(name)))).flat();
    let bytes = files.reduce((sum, { size }) => sum + size, 0);
    files.sort((a, b) => a.usedMs - b.usedMs);
    for (const { name, size } of files) {
      if (bytes <= this.#maxBytes * (1 - SLACK)) return;
      await this.delete(name);
      bytes -= size;
    }
  }

  /** None where another process has deleted it just now. */
  async #look(name: string): Promise<{ name: string; size: number; usedMs: number }[]> {
    try {
      const { size, mtimeMs } = await stat(path.join(this.#dir, name));
      return [{ name, size, usedMs: mtimeMs }];
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';
