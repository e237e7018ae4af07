// Joins sql/ into scripts with two ways in: CREATE EXTENSION rafiki CASCADE, and psql -1 -f. Beside the one that installs there
// is one for each released version that upgrades it: what its incremental files lack, and all that can be replaced. `rafiki install`
// has the same parts in one file, and puts together what a database needs.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { registryRows } from '../dist/cli/install/registries.js';

/** The last incremental file of each released version: it and those before it never change. */
const released = { '0.1.0': '0001-tables' };

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const out = path.join(root, 'dist/extension/extension');
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const read = (file) => `-- ${file}\n${readFileSync(path.join(root, 'sql', file), 'utf8').trim()}\n`;
/** In the order of their paths. */
const filesOf = (room) =>
  readdirSync(path.join(root, 'sql', room), { recursive: true })
    .filter((file) => file.endsWith('.sql'))
    .sort();

/** Each notes itself in the ledger; the first file of all is noted by the second, which makes it. */
const incremental = filesOf('incremental').map((file, place) => {
  const name = path.basename(file, '.sql');
  const note = place === 0 ? '' : `insert into rafiki.migration (name) values ('${name}');\n`;
  return { name, text: read(`incremental/${file}`) + note };
});
const prologue = read('prologue.sql');
const joining = read('joining.sql');
/** The rows of src/cli/install/registries.ts, in place of the names of their tables between @. */
const registries = registryRows();
const withRows = (text) =>
  text.replace(/'@(\w+)@'/g, (_, table) => `'${JSON.stringify(registries[table]).replaceAll("'", "''")}'`);
const replaceable = filesOf('idempotent').map((file) => withRows(read(`idempotent/${file}`)));
const build = createHash('sha256').update(replaceable.join('')).digest('hex').slice(0, 16);
const idempotent = [
  ...replaceable.slice(0, -2), // before the files that give everything to its owner, and rights to the others
  `create function rafiki._build() returns text language sql immutable parallel safe
set search_path = pg_catalog, pg_temp as $$ select '${build}' $$;\n`,
  ...replaceable.slice(-2),
].join('\n');

const script = (wanted) => [prologue, joining, ...wanted.map(({ text }) => text), idempotent].join('\n');

writeFileSync(path.join(out, `rafiki--${version}.sql`), script(incremental));
for (const [from, last] of Object.entries(released)) {
  if (from === version) continue;
  writeFileSync(
    path.join(out, `rafiki--${from}--${version}.sql`),
    script(incremental.filter(({ name }) => name > last)),
  );
}
writeFileSync(path.join(root, 'dist/extension/uninstall.sql'), read('uninstall.sql'));
const control = readFileSync(path.join(root, 'sql/rafiki.control'), 'utf8').replace('@version@', version);
writeFileSync(path.join(out, 'rafiki.control'), control);
// Where no file can be put beside the server's, Trusted Language Extensions (pg_tle) keep the script in the database.
const [, comment] = /^comment = '(.*)'$/m.exec(control);
const quote = '$rafiki_script$';
writeFileSync(
  path.join(root, 'dist/extension/rafiki--pgtle.sql'),
  `-- As a member of pgtle_admin, and after docs/install-managed.sql: psql -1 -v ON_ERROR_STOP=1 -f rafiki--pgtle.sql
-- Then, as who installs: create extension rafiki;
select pgtle.install_extension('rafiki', '${version}', '${comment}', ${quote}
${script(incremental)}${quote}, '{dblink}');
`,
);
writeFileSync(
  path.join(root, 'dist/extension/parts.json'),
  JSON.stringify({ build, prologue, joining, incremental, idempotent }, null, 1),
);
writeFileSync(path.join(root, 'dist/.built'), '');
