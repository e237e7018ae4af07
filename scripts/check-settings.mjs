// src/cli/settings reads the environment, and nothing else of src/ does; no file names a variable that is not in its table.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const read = (file) => readFileSync(path.join(root, file), 'utf8');

/** Besides: where tests make a process die. */
const readers = ['src/cli/settings/read.ts', 'src/runtime/failpoint.ts'];
/** Of tests and benchmarks, which read them themselves. */
const notOfTheProduct = ['RAFIKI_FAILPOINTS', 'RAFIKI_DATA', 'RAFIKI_SEED', 'RAFIKI_SCREENSHOTS'];

const table = ['table', 'storage-table', 'http-table', 'metrics-table', 'encoder-table', 'family-table']
  .map((name) => read(`src/cli/settings/${name}.ts`))
  .join('');
const known = new Set([...table.matchAll(/variable: '(\w+)'/g)].map(([, variable]) => variable));
if (known.size === 0) throw new Error('src/cli/settings/table.ts has no variables');

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter(
    (file) =>
      existsSync(path.join(root, file)) &&
      /\.(ts|mjs|md|ya?ml|sql|sh)$|^Dockerfile$/.test(file) &&
      !file.startsWith('test/upgrade/'),
  );

const faults = files.flatMap((file) => {
  const text = read(file);
  const named = new Set(text.match(/\b(?:RAFIKI|AWS)_[A-Z0-9_]*[A-Z0-9]\b(?! ?\()/g));
  const strange = [...named].filter((name) => !known.has(name) && !notOfTheProduct.includes(name));
  const readsItself =
    file.startsWith('src/') && !readers.includes(file) && /\benv\b.*from 'node:process'|\bprocess\.env\b/.test(text);
  return [
    ...strange.map((name) => `${file} names ${name}, which is not in src/cli/settings/table.ts`),
    ...(readsItself ? [`${file} reads the environment: that is for src/cli/settings, whose values are passed on`] : []),
  ];
});
for (const fault of faults) console.error(fault);
console.log(`${known.size} variables, as ${files.length} files name them`);
process.exit(faults.length === 0 ? 0 : 1);
