import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import { ensurePrivateDir } from '../../runtime/disk/private-dir.ts';
import type { SettingValues } from '../settings/read.ts';
import type { Identity } from './unprivileged.ts';

const hint = 'Choose a folder that belongs to this user alone, with --data-dir or RAFIKI_DATA_DIR.';
/** Entries that Postgres owns if it runs as another user. */
const OF_POSTGRES = ['db', 'password'];

/** The default: for root outside of its home, which the user that Postgres runs as cannot access. */
export function dataDirOr({ dataDir, xdgDataHome }: SettingValues<'dataDir' | 'xdgDataHome'>): string {
  if (dataDir !== undefined) return dataDir;
  if (process.getuid?.() === 0) return '/var/lib/rafiki';
  return path.join(xdgDataHome ?? path.join(homedir(), '.local/share'), 'rafiki');
}

/** File in the data folder: the user's URL with its password, for clients that cannot read a `passfile`. */
export const USER_URL = 'user-url';

/** The folder of `demo`'s own database: the demo must not touch the user's tables. */
export const demoDir = (dataDir: string): string => path.join(dataDir, 'demo');

/**
 * Creates the data folder of `up`, or throws {@link EnvironmentUnfit} if another user created it or owns something in
 * it: its passwords, settings and programs are trusted. `postgres` is the user that Postgres runs as, which needs
 * access; with 'unused' that check is skipped.
 */
export async function openDataDir(dir: string, postgres?: Identity | 'unused'): Promise<void> {
  await ensurePrivateDir(dir, { purpose: 'the data folder', hint, mode: 0o711 });
  chmodSync(dir, 0o711);
  const own = process.getuid?.();
  if (own === undefined) return;
  for (const name of readdirSync(dir)) {
    const { uid, nlink, ...entry } = lstatSync(path.join(dir, name));
    const isPostgres = OF_POSTGRES.includes(name) && (postgres === 'unused' || uid === postgres?.uid);
    if (uid !== own && !isPostgres)
      throw unfit(dir, `${name} in it belongs to user ${uid}, and this process is user ${own}.`);
    if ((entry.mode & S_IFMT) === S_IFREG && nlink > 1) throw unfit(dir, `${name} in it has another hard link.`);
  }
}

const S_IFMT = 0o170_000;
const S_IFREG = 0o100_000;

const unfit = (dir: string, detail: string): EnvironmentUnfit =>
  new EnvironmentUnfit(`the folder ${dir} cannot be used as the data folder`, { detail, hint });
