import type { Stats } from 'node:fs';
import { chmod, lstat, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { EnvironmentUnfit } from '../errors/errors.ts';

/**
 * Makes a folder that no other user of this machine can read or write, or refuses one that is not so: what lies there
 * is trusted. One of ours that is too open is closed. A name that is no folder, or a link to one, may be a trap.
 */
export async function ensurePrivateDir(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw unfit(dir, `It cannot be made: ${cause instanceof Error ? cause.message : String(cause)}.`, cause);
  });
  await checkPrivateDir(dir);
}

/** Refuses a folder that is not private; false where there is none. */
export async function checkPrivateDir(dir: string): Promise<boolean> {
  const found = await lstat(dir).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return false;
  const uid = process.getuid?.();
  if (uid === undefined) return true; // on Windows the temporary folder is each user's own
  if (!found.isDirectory()) throw unfit(dir, 'It is a symbolic link or a file.');
  if (found.uid !== uid) throw unfit(dir, `It belongs to user ${found.uid}, and this process is user ${uid}.`);
  await checkParent(dir, uid);
  if ((found.mode & 0o077) !== 0) await chmod(dir, 0o700);
  return true;
}

/** Whoever may rename in the folder above could put another one in place of ours. */
async function checkParent(dir: string, uid: number): Promise<void> {
  const parent = path.dirname(path.resolve(dir));
  const found: Stats = await lstat(parent);
  const others = found.uid !== uid && found.uid !== 0;
  if (others) throw unfit(dir, `The folder above, ${parent}, belongs to user ${found.uid}, who could replace it.`);
  const [writable, sticky] = [(found.mode & 0o002) !== 0, (found.mode & 0o1000) !== 0];
  if (writable && !sticky && !found.isSymbolicLink()) {
    throw unfit(dir, `Everybody may write to the folder above, ${parent}, and so replace it.`);
  }
}

const unfit = (dir: string, detail: string, cause?: unknown): EnvironmentUnfit =>
  new EnvironmentUnfit(`the folder ${dir} cannot be used as a cache`, {
    detail,
    hint: 'Set RAFIKI_CACHE_DIR to a folder that belongs to this user alone.',
    cause,
  });
