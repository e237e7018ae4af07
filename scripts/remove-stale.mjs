// Removes from dist what the build does not produce, such as the output of a source file that no longer exists: `npm pack` ships all of dist.
// After tsc and before build-sql.mjs, which creates dist/extension. `node scripts/remove-stale.mjs [ROOT]`
import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = process.argv[2] ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const dist = path.join(root, 'dist');

/** Files of the build itself, and of `npm run supply`. */
const kept = new Set(['.built', '.tsbuildinfo', 'sbom.json']);

/** Whether tsc emits the file: x.js, x.js.map and x.d.ts from x.ts. */
function isEmitted(file) {
  const [, base] = /^(.+)\.(?:js|js\.map|d\.ts)$/.exec(file) ?? [];
  return base !== undefined && existsSync(path.join(root, 'src', `${base}.ts`));
}

/** Files first, then the folders that are left empty. */
function removeStale(folder) {
  for (const entry of readdirSync(path.join(dist, folder), { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) removeStale(file);
    else if (!kept.has(file) && !isEmitted(file)) rmSync(path.join(dist, file));
  }
  if (folder !== '' && readdirSync(path.join(dist, folder)).length === 0)
    rmSync(path.join(dist, folder), { recursive: true });
}

removeStale('');
