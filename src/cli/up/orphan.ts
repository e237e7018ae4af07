import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Identity } from './unprivileged.ts';

interface OrphanOptions {
  postgresDir: string;
  dataDir: string;
  identity: Identity | undefined;
}

/**
 * Stops a server whose parent was killed. This process has the folder's lock, so no other process uses it; it may occupy the
 * port.
 */
export async function stopOrphan({ postgresDir, dataDir, identity }: OrphanOptions): Promise<void> {
  const db = path.join(dataDir, 'db');
  const pidFile = path.join(db, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  if (isOther(Number(readFileSync(pidFile, 'utf8').split('\n')[0]), db)) {
    // pg_ctl would send it a signal, and Postgres not start while it runs. Shared memory still excludes a second server.
    rmSync(pidFile, { force: true });
    return;
  }
  const args = ['stop', '-D', db, '-m', 'fast', '-w'];
  // Fails if the server is dead and only its file remains, which postgres handles itself.
  await promisify(execFile)(path.join(postgresDir, 'bin/pg_ctl'), args, { ...identity, cwd: db }).catch(() => {});
}

/**
 * Whether a process that is no server of this folder has a dead server's id now: after a power loss, or in another
 * container. A server works in its folder.
 */
function isOther(pid: number, db: string): boolean {
  try {
    const [works, folder] = [statSync(`/proc/${pid}/cwd`), statSync(db)];
    return works.dev !== folder.dev || works.ino !== folder.ino;
  } catch {
    return false; // no process, another user's (which Postgres ignores), or no /proc
  }
}
