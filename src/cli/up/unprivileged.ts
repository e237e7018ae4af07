import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { EnvironmentUnfit } from '../../errors/errors.ts';

/** Whom to run Postgres as: it refuses root. `undefined` means "as ourselves". */
export interface Identity {
  uid: number;
  gid: number;
}

/** As root, the system's `postgres` user where there is one, otherwise `nobody`. */
export function postgresIdentity(): Identity | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const user of ['postgres', 'nobody']) {
    const id = lookUp(user);
    if (id) return id;
  }
  throw new EnvironmentUnfit('Postgres refuses to run as root, and there is no user to run it as', {
    hint: 'Create a user named postgres, or run rafiki as an ordinary user.',
  });
}

function lookUp(user: string): Identity | undefined {
  try {
    const ask = (flag: string): number =>
      Number(execFileSync('id', [flag, user], { stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: ask('-u'), gid: ask('-g') };
  } catch {
    return undefined; // `id` exits 1 for an unknown user
  }
}

/** Whether `identity` may enter every folder down to `target`: a clone under a private home is out of its reach. */
export function reachable(target: string, identity: Identity | undefined): boolean {
  if (!identity) return true;
  for (let dir = path.resolve(target); ; dir = path.dirname(dir)) {
    const { mode, uid, gid } = statSync(dir);
    const bit = uid === identity.uid ? 0o100 : gid === identity.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (dir === path.dirname(dir)) return true;
  }
}
