import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

/** Adds the encoder of a fetched npm package, as `pretrained`, to the Rafiki of this folder. */
export async function addEncoder(dataDir: string, npmPackage: string): Promise<void> {
  const url = readFileSync(path.join(dataDir, 'admin-url'), 'utf8').trim();
  const args = ['encoder', 'add', 'pretrained', '--npm', npmPackage, '--database-url', url];
  await promisify(execFile)(process.execPath, [path.join('dist', 'cli', 'main.js'), ...args]);
}
