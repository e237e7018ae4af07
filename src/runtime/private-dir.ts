import type { Stats } from 'node:fs';
import { chmod, lstat, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { EnvironmentUnfit } from '../errors/errors.ts';

/** What a folder is for, as errors say it; `mode` is what others may do at most. */
export interface PrivateUse {
  purpose: string;
  hint: string;
  mode: number;
}

const asCache: PrivateUse = {
  purpose: 'a cache',
  hint: 'Set RAFIKI_CACHE_DIR to a folder that belongs to this user alone.',
  mode: 0o700,
};

/**
 * Makes a folder that no other user of this machine can read or write, or refuses one that is not so: what lies there
 * is trusted. One of ours that is too open is closed. A name that is no folder, or a link to one, may be a trap.
 */
export async function ensurePrivateDir(dir: string, use = asCache): Promise<void> {
  await mkdir(dir, { recursive: true, mode: use.mode }).catch((cause: unknown) => {
    throw unfit(dir, use, `It cannot be made: ${cause instanceof Error ? cause.message : String(cause)}.`, cause);
  });
  await checkPrivateDir(dir, use);
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
