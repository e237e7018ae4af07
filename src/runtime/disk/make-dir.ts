import { existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Creates a folder and its parents. Node's own `recursive` loops forever in /proc, where the system reports that a
 * parent is missing.
 */
export function makeDir(dir: string, mode = 0o777): void {
  const parent = path.dirname(dir);
  if (parent !== dir && !existsSync(parent)) makeDir(parent, mode);
  try {
    mkdirSync(dir, { mode });
  } catch (error) {
    if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}
