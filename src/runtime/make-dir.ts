import { existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/** A folder with those above it. Node's own `recursive` goes on for ever where the system says that a folder above is missing: in /proc. */
export function makeDir(dir: string, mode = 0o777): void {
  const parent = path.dirname(dir);
  if (parent !== dir && !existsSync(parent)) makeDir(parent, mode);
  try {
    mkdirSync(dir, { mode });
  } catch (error) {
    if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}
