import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import { freshPassword } from '../logins.ts';

export interface StoredPassword {
  password: string;
  /** Newly created: no role has it yet. */
  isNew: boolean;
}

/** A password in a file of the data folder, created at the first call. */
export function storedPassword(dataDir: string, name: string): StoredPassword {
  const file = path.join(dataDir, name);
  const kept = readSecret(file);
  const password = kept ?? freshPassword();
  if (kept === undefined) writeSecret(file, password);
  return { password, isNew: kept === undefined };
}

/**
 * Writes a new file for the folder's owner only, which replaces an existing one: neither a link nor its permissions are
 * kept.
 */
export function writeSecret(file: string, secret: string): void {
  const fresh = `${file}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(fresh, file);
}

/**
 * The content of a secret file; undefined if missing. Throws {@link EnvironmentUnfit} unless the file belongs to this
 * user, or to `otherUid`, and only its owner can write it. Removes read permissions of others. Does not follow links.
 */
export function readSecret(file: string, otherUid?: number): string | undefined {
  const fd = open(file);
  if (fd === undefined) return undefined;
  try {
    const { uid, mode, nlink } = fstatSync(fd);
    const own = process.getuid?.();
    if (own !== undefined) {
      if (uid !== own && uid !== otherUid)
        throw unfit(file, `It belongs to user ${uid}, and this process is user ${own}.`);
      if ((mode & 0o022) !== 0) throw unfit(file, 'Others may write to it.');
      if (nlink > 1) throw unfit(file, 'It has another hard link.');
      if ((mode & 0o077) !== 0) fchmodSync(fd, 0o600);
    }
    return readFileSync(fd, 'utf8').trim();
  } finally {
    closeSync(fd);
  }
}

function open(file: string): number | undefined {
  try {
    return openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ELOOP' || code === 'EMLINK') throw unfit(file, 'It is a symbolic link.', cause);
    throw cause;
  }
}

const unfit = (file: string, detail: string, cause?: unknown): EnvironmentUnfit =>
  new EnvironmentUnfit(`the file ${file} cannot be trusted with a secret`, {
    detail,
    hint: 'Check the file. If this user created it, replace it by a regular file with mode 0600; otherwise remove it, or use another --data-dir.',
    cause,
  });
