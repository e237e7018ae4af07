import { copyFile, link, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import type { ModelFile } from '../../domain/training.ts';
import { ensurePrivateDir } from '../../runtime/disk/private-dir.ts';
import type { EnsembleFiles } from '../devices/replica.ts';

/**
 * The folder of an owner's process: the files of its models are in it while the process reads them, as links, so that it can be kept from
 * those of others.
 */
export class OwnerFolder {
  readonly dir: string;
  /** A folder in it with nothing in it, where the process works: a graph may name files. */
  readonly emptyDir: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.emptyDir = path.join(dir, 'empty');
  }

  static async make(parent: string): Promise<OwnerFolder> {
    await ensurePrivateDir(parent);
    const folder = new OwnerFolder(await mkdtemp(path.join(parent, prefixOf(process.pid))));
    await mkdir(folder.emptyDir, { mode: 0o700 });
    return folder;
  }

  /** Calls `work` with the files as they are found in the folder. */
  async with<T>(files: EnsembleFiles, work: (inside: EnsembleFiles) => Promise<T>): Promise<T> {
    const inside = (file: ModelFile): ModelFile => ({ ...file, dir: this.dir });
    const all = files.models.flatMap(({ encoder, ...file }) => (encoder === undefined ? [file] : [file, encoder]));
    try {
      for (const file of all) await this.#take(file);
      const models = files.models.map(({ encoder, ...file }) => ({
        ...inside(file),
        ...(encoder === undefined ? {} : { encoder: inside(encoder) }),
      }));
      return await work({ ...files, models });
    } finally {
      for (const { name } of all) await rm(path.join(this.dir, name), { force: true });
    }
  }

  remove(): Promise<void> {
    return rm(this.dir, { recursive: true, force: true });
  }

  /** Two members may have the same encoder. */
  async #take({ dir, name }: ModelFile): Promise<void> {
    const place = path.join(this.dir, name);
    await link(path.join(dir, name), place).catch((error: NodeJS.ErrnoException) =>
      error.code === 'EEXIST' ? undefined : copyFile(path.join(dir, name), place),
    );
  }
}

/** Containers may share the folder. */
const prefixOf = (pid: number): string => `${encodeURIComponent(hostname())}.${pid}.`;

/** Removes the folders of servers of this machine that were killed. */
export async function removeAbandonedFolders(parent: string): Promise<void> {
  await ensurePrivateDir(parent);
  const own = `${encodeURIComponent(hostname())}.`;
  for (const name of await readdir(parent)) {
    const pid = Number.parseInt(name.slice(own.length), 10);
    if (name.startsWith(own) && !isAlive(pid)) await rm(path.join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
