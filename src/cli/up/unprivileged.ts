import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { EnvironmentUnfit } from '../../errors/errors.ts';

/** A user to run Postgres as, which refuses root; `undefined` for the current user. */
export interface Identity {
  uid: number;
  gid: number;
}

/** For root: the system's user `postgres`, or else `nobody`. Otherwise undefined. */
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

/** Whether `identity` can enter all folders down to `target`: a clone in a private home is not accessible. */
export function reachable(target: string, identity: Identity | undefined): boolean {
  if (!identity) return true;
  for (let dir = path.resolve(target); ; dir = path.dirname(dir)) {
    const { mode, uid, gid } = statSync(dir);
    const bit = uid === identity.uid ? 0o100 : gid === identity.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (dir === path.dirname(dir)) return true;
  }
}
