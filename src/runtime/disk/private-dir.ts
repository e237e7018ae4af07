import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { chmod, lstat, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import { makeDir } from './make-dir.ts';

/** The purpose of a folder, for error messages; `mode` is the maximum of its permissions. */
interface PrivateUse {
  purpose: string;
  hint: string;
  mode: number;
}

const asCache: PrivateUse = {
  purpose: 'a cache',
  hint: 'Set RAFIKI_CACHE_DIR to a folder that belongs to this user alone, with free space.',
  mode: 0o700,
};

/**
 * Creates a folder that no other user of this machine can read or write, or throws EnvironmentUnfit: its content is
 * trusted. Excess permissions of this user's own folder are removed. A file or a link is refused.
 */
export async function ensurePrivateDir(dir: string, use = asCache): Promise<void> {
  try {
    makeDir(path.resolve(dir), use.mode);
  } catch (cause) {
    throw unfit(dir, use, `It cannot be created: ${cause instanceof Error ? cause.message : String(cause)}.`, cause);
  }
  await checkPrivateDir(dir, use);
}

/** Enough to detect a full disk. */
const PROBE = Buffer.alloc(64 * 1024);

/** Creates a private folder and checks that it is writable; throws EnvironmentUnfit otherwise. */
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

/** Throws EnvironmentUnfit if the folder is not private; returns false if it does not exist. */
export async function checkPrivateDir(dir: string, use = asCache): Promise<boolean> {
  const found = await lstat(dir).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return false;
  const uid = process.getuid?.();
  if (uid === undefined) return true; // on Windows each user has a private temporary folder
  if (!found.isDirectory()) throw unfit(dir, use, 'It is a symbolic link or a file.');
  if (found.uid !== uid) throw unfit(dir, use, `It belongs to user ${found.uid}, and this process is user ${uid}.`);
  await checkParent(dir, use, uid);
  if ((found.mode & 0o777 & ~use.mode) !== 0) await chmod(dir, use.mode);
  return true;
}

/** A user who can rename entries of the parent could replace the folder. */
async function checkParent(dir: string, use: PrivateUse, uid: number): Promise<void> {
  const parent = path.dirname(path.resolve(dir));
  const found: Stats = await lstat(parent);
  const others = found.uid !== uid && found.uid !== 0;
  if (others) throw unfit(dir, use, `The folder above, ${parent}, belongs to user ${found.uid}, who could replace it.`);
  const [writable, sticky] = [(found.mode & 0o002) !== 0, (found.mode & 0o1000) !== 0];
  if (writable && !sticky && !found.isSymbolicLink()) {
    throw unfit(dir, use, `The folder above, ${parent}, is writable for all users, who could replace it.`);
  }
}

const unfit = (dir: string, { purpose, hint }: PrivateUse, detail: string, cause?: unknown): EnvironmentUnfit =>
  new EnvironmentUnfit(`the folder ${dir} cannot be used as ${purpose}`, { detail, hint, cause });
