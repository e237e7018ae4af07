import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'vitest/config';

const root = path.resolve(import.meta.dirname, '../..');
/** The files of src that start processes from a file beside them. */
const starters = new Set(
  [
    'worker/training-process.ts',
    'foreign/check-process.ts',
    'serving/foreign/owner-process.ts',
    'http/upload/parquet.ts',
  ].map((file) => path.join(root, 'src', file)),
);

/**
 * The processes that tests start by them are those of the build, as users have them, if it was made of these very sources: they start in a third
 * of the time that tsx takes, and a study of one trial starts two. Else they are those of the sources, through tsx.
 */
export function builtChildren(): Plugin {
  const isUsed = isBuilt();
  return {
    name: isUsed ? 'built-children' : 'no-built-children', // it is part of what vitest keeps compiled files under
    enforce: 'pre',
    transform(code, id) {
      if (!isUsed || !starters.has(id)) return undefined;
      const built = path.join(root, 'dist', path.relative(path.join(root, 'src'), id)).replace(/\.ts$/, '.js');
      return { code: code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(built).href)), map: null };
    },
  };
}

let known: boolean | undefined;

/** By the hashes that the compiler has kept of all sources. */
function isBuilt(): boolean {
  known ??= process.argv.includes('run') && isBuildOf(path.join(root, 'src'), path.join(root, 'dist/.tsbuildinfo'));
  return known;
}

/** Whether the compiler's record in `dist` has the hash of each source. The dashboard is built by itself. */
export function isBuildOf(src: string, record: string): boolean {
  if (!existsSync(record)) return false;
  const { fileNames, fileInfos }: { fileNames: string[]; fileInfos: (string | { version: string })[] } = JSON.parse(
    readFileSync(record, 'utf8'),
  );
  const hashes = new Map(
    fileNames.map((name, i) => {
      const info = fileInfos[i];
      return [path.resolve(path.dirname(record), name), typeof info === 'object' ? info.version : info] as const;
    }),
  );
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith(`dashboard${path.sep}`))
    .map((name) => path.join(src, name))
    .every((file) => hashes.get(file) === createHash('sha256').update(readFileSync(file, 'utf8')).digest('hex'));
}
