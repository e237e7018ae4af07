import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { ensurePrivateDir } from '../runtime/disk/private-dir.ts';

/** An attempt at a trial. */
export interface RoundsKey {
  trialId: number;
  attempt: number;
  study: { createdAt: string };
}

/** Minimum age before folders of killed workers are deleted. */
const ABANDONED_MS = 24 * 3600_000;

/**
 * Folders in the cache for the files that the workers of a trial exchange on one machine, one for each attempt. A worker that finds
 * the folder of a trial that it has joined knows that the leading one is on its machine.
 */
export class RoundFolders {
  readonly #dir: string;

  constructor(cacheDir: string) {
    this.#dir = path.join(cacheDir, 'rounds');
  }

  /** An empty folder, and no other of the trial. Returns its path. */
  async create(key: RoundsKey): Promise<string> {
    await ensurePrivateDir(this.#dir);
    const ofTrial = (name: string): boolean => name.startsWith(`${key.trialId}-`) && name.endsWith(`-${placeOf(key)}`);
    for (const name of (await readdir(this.#dir)).filter(ofTrial)) await this.#delete(name);
    const folder = path.join(this.#dir, nameOf(key));
    await mkdir(folder, { mode: 0o700 });
    return folder;
  }

  /** Null if it does not exist. */
  find(key: RoundsKey): string | null {
    const folder = path.join(this.#dir, nameOf(key));
    return existsSync(folder) ? folder : null;
  }

  /** Marks the folder of a trial as used: while nobody joins it, nothing is written there. */
  async keep(key: RoundsKey): Promise<void> {
    const now = new Date();
    await utimes(path.join(this.#dir, nameOf(key)), now, now).catch(() => undefined); // a trial without a folder goes on
  }

  remove(key: RoundsKey): Promise<void> {
    return this.#delete(nameOf(key));
  }

  /** Deletes those that nobody has used for a day. */
  async sweep(): Promise<void> {
    for (const name of await readdir(this.#dir).catch(() => [])) {
      const changed = await stat(path.join(this.#dir, name)).catch(() => undefined); // deleted by another worker
      if (changed !== undefined && Date.now() - changed.mtimeMs > ABANDONED_MS) await this.#delete(name);
    }
  }

  /** What another process writes meanwhile is deleted with the rest, or later by a sweep. */
  async #delete(name: string): Promise<void> {
    await rm(path.join(this.#dir, name), { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
  }
}

const nameOf = (key: RoundsKey): string => `${key.trialId}-${key.attempt}-${placeOf(key)}`;

/** Ids of trials repeat between databases, and a folder may be shared by machines: times of creation, and names of hosts, do not. */
const placeOf = ({ study }: RoundsKey): string =>
  createHash('sha256').update(`${study.createdAt} ${hostname()}`).digest('hex').slice(0, 12);
