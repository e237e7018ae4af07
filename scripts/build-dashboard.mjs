// Bundles src/dashboard into dist/dashboard: an index, and assets that have a hash of their content in their names. After remove-stale.mjs, which
// removes them, and before build-sql.mjs, which ends the build.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const source = path.join(root, 'src/dashboard');
const out = path.join(root, 'dist/dashboard');
rmSync(out, { recursive: true, force: true });

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: {
    main: path.join(source, 'main.tsx'),
    theme: path.join(source, 'theme.ts'),
    style: path.join(source, 'styles/main.css'),
    icon: path.join(source, 'icon.svg'),
  },
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  loader: { '.svg': 'copy' },
  entryNames: '[name]-[hash]',
  outdir: path.join(out, 'assets'),
  legalComments: 'none', // the licences are a file of their own
  metafile: true,
  logLevel: 'warning',
});

/** The licences of the packages that are in the bundle. */
function licences() {
  const inModules = Object.keys(metafile.inputs).map((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
  const names = [...new Set(inModules.filter((name) => name !== undefined))].sort();
  return names.map((name) => {
    const folder = path.join(root, 'node_modules', name);
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    if (file === undefined) throw new Error(`${name} is in the dashboard, and has no file with its licence`);
    return `${name}\n\n${readFileSync(path.join(folder, file), 'utf8').trim()}\n`;
  });
}

const text = licences().join('\n---\n\n');
const hash = createHash('sha256').update(text).digest('hex').slice(0, 8).toUpperCase();
mkdirSync(path.join(out, 'assets'), { recursive: true });
writeFileSync(path.join(out, 'assets', `licences-${hash}.txt`), text);

const assets = readdirSync(path.join(out, 'assets'));
const index = readFileSync(path.join(source, 'index.html'), 'utf8').replace(
  /\{\{(\w+)\.(\w+)\}\}/g,
  (_, name, type) => {
    const file = assets.find((each) => each.startsWith(`${name}-`) && each.endsWith(`.${type}`));
    if (file === undefined) throw new Error(`the build made no ${name}.${type}`);
    return `/assets/${file}`;
  },
);
writeFileSync(path.join(out, 'index.html'), index);
