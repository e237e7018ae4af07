import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { diskError } from './disk-error.ts';
import { checkPrivateDir, ensurePrivateDir } from './private-dir.ts';

export interface DiskCacheOptions {
  dir: string;
  maxBytes: number;
}

/** Share of the limit that may be written before the folder is scanned again. */
const SLACK = 1 / 16;

/**
 * Immutable files by name; the least recently used are deleted above the limit. Several processes on a machine share
 * the folder. Readers verify the content.
 */
export class DiskCache {
  readonly #dir: string;
  readonly #maxBytes: number;
  /** Bytes written since the last scan; infinite before the first scan, because of earlier files. */
  #unscannedBytes = Number.POSITIVE_INFINITY;

  constructor({ dir, maxBytes }: DiskCacheOptions) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
  }

  /** Maximum size of a file: a larger one would displace most of the others and is not kept. */
  get maxBytes(): number {
    return this.#maxBytes / 2;
  }

  async get(name: string): Promise<Buffer | undefined> {
    if (!(await checkPrivateDir(this.#dir))) return undefined;
    const file = path.join(this.#dir, name);
    try {
      const data = await readFile(file);
      const now = new Date();
      await utimes(file, now, now); // marks the file as recently used
      return data;
    } catch (error) {
      if (isMissing(error)) return undefined; // possibly deleted by another process
      throw error;
    }
  }

  has(name: string): boolean {
    return existsSync(path.join(this.#dir, name));
  }

  /** Written under a temporary name first, so that a file is always complete. `data`: its bytes, or parts that follow each other. */
  async set(name: string, data: Buffer | readonly Uint8Array[]): Promise<void> {
    const parts = Buffer.isBuffer(data) ? [data] : data;
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (bytes > this.maxBytes) return;
    await ensurePrivateDir(this.#dir);
    const file = path.join(this.#dir, name);
    const unfinished = `${file}.${randomUUID()}.tmp`;
    try {
      await writeFile(unfinished, parts, { mode: 0o600, flag: 'wx' });
      await rename(unfinished, file);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw diskError(error, this.#dir);
    }
    this.#unscannedBytes += bytes;
    if (this.#unscannedBytes > this.#maxBytes * SLACK) await this.#trim();
  }

  async delete(name: string): Promise<void> {
    await rm(path.join(this.#dir, name), { force: true });
  }

  async #trim(): Promise<void> {
    this.#unscannedBytes = 0;
    const files = (await Promise.all((await readdir(this.#dir)).map((name) => this.#stat(name)))).flat();
    let bytes = files.reduce((sum, { size }) => sum + size, 0);
    files.sort((a, b) => a.usedMs - b.usedMs);
    for (const { name, size } of files) {
      if (bytes <= this.#maxBytes * (1 - SLACK)) return;
      await this.delete(name);
      bytes -= size;
    }
  }

  /** Empty if another process has just deleted it. */
  async #stat(name: string): Promise<{ name: string; size: number; usedMs: number }[]> {
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
