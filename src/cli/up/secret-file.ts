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

export interface KeptPassword {
  password: string;
  /** Made just now: nobody can have it. */
  isNew: boolean;
}

/** A password that is kept in a file of its own in the data folder, made at first. */
export function keptPassword(dataDir: string, name: string): KeptPassword {
  const file = path.join(dataDir, name);
  const kept = readSecret(file);
  const password = kept ?? freshPassword();
  if (kept === undefined) keepSecret(file, password);
  return { password, isNew: kept === undefined };
}

/** A new file for the owner of the folder only takes the place of what had that name: neither a link nor its rights are kept. */
export function keepSecret(file: string, secret: string): void {
  const fresh = `${file}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(fresh, file);
}

/**
 * What such a file says; undefined where there is none. It has to be ours, or of the one other user that is named, and nobody else's
 * to write; one that others could read is closed. Links are not followed.
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
      if (nlink > 1) throw unfit(file, 'It has another name as well, a hard link.');
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
    hint: 'Look into it. Where this user made it, make it a file of its own with mode 0600; else remove it, or use another --data-dir.',
    cause,
  });
