import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { chmod, lstat, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { EnvironmentUnfit } from '../errors/errors.ts';
import { makeDir } from './make-dir.ts';

/** What a folder is for, as errors say it; `mode` is what others may do at most. */
export interface PrivateUse {
  purpose: string;
  hint: string;
  mode: number;
}

const asCache: PrivateUse = {
  purpose: 'a cache',
  hint: 'Set RAFIKI_CACHE_DIR to a folder with room that belongs to this user alone.',
  mode: 0o700,
};

/**
 * Makes a folder that no other user of this machine can read or write, or refuses one that is not so: what lies there
 * is trusted. One of ours that is too open is closed. A name that is no folder, or a link to one, may be a trap.
 */
export async function ensurePrivateDir(dir: string, use = asCache): Promise<void> {
  try {
    makeDir(path.resolve(dir), use.mode);
  } catch (cause) {
    throw unfit(dir, use, `It cannot be made: ${cause instanceof Error ? cause.message : String(cause)}.`, cause);
  }
  await checkPrivateDir(dir, use);
}

/** As much as tells a disk that is full from one that has room. */
const PROBE = Buffer.alloc(64 * 1024);

/** Makes a private folder, or refuses one where nothing can be written: whoever needs it does not start then. */
export async function ensureUsableDir(dir: string): Promise<void> {
  await ensurePrivateDir(dir);
  const probe = path.join(dir, `probe-${randomUUID()}.tmp`);
  try {
    await writeFile(probe, PROBE, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw unfit(
      dir,
      asCache,
      `Nothing can be written to it: ${cause instanceof Error ? cause.message : String(cause)}.`,
      cause,
    );
  } finally {
    await rm(probe, { force: true });
  }
}

/** Refuses a folder that is not private; false where there is none. */
export async function checkPrivateDir(dir: string, use = asCache): Promise<boolean> {
  const found = await lstat(dir).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return false;
  const uid = process.getuid?.();
  if (uid === undefined) return true; // on Windows the temporary folder is each user's own
  if (!found.isDirectory()) throw unfit(dir, use, 'It is a symbolic link or a file.');
  if (found.uid !== uid) throw unfit(dir, use, `It belongs to user ${found.uid}, and this process is user ${uid}.`);
  await checkParent(dir, use, uid);
  if ((found.mode & 0o777 & ~use.mode) !== 0) await chmod(dir, use.mode);
  return true;
}

/** Whoever may rename in the folder above could put another one in place of ours. */
async function checkParent(dir: string, use: PrivateUse, uid: number): Promise<void> {
  const parent = path.dirname(path.resolve(dir));
  const found: Stats = await lstat(parent);
  const others = found.uid !== uid && found.uid !== 0;
  if (others) throw unfit(dir, use, `The folder above, ${parent}, belongs to user ${found.uid}, who could replace it.`);
  const [writable, sticky] = [(found.mode & 0o002) !== 0, (found.mode & 0o1000) !== 0];
  if (writable && !sticky && !found.isSymbolicLink()) {
    throw unfit(dir, use, `Everybody may write to the folder above, ${parent}, and so replace it.`);
  }
}

const unfit = (dir: string, { purpose, hint }: PrivateUse, detail: string, cause?: unknown): EnvironmentUnfit =>
  new EnvironmentUnfit(`the folder ${dir} cannot be used as ${purpose}`, { detail, hint, cause });
