// Joins sql/ into scripts that CREATE EXTENSION rafiki CASCADE and psql -1 -f can execute: one that installs, and one per released version that
// upgrades it, with the incremental files that it lacks and all idempotent ones. `rafiki install` combines the parts that a database needs
// from parts.json.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { registryRows } from '../dist/cli/install/registries.js';
import { sqlConstants } from '../dist/cli/install/sql-constants.js';

/** The last incremental file of each released version; released files never change. */
const released = { '0.1.0': '0001-tables' };

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const out = path.join(root, 'dist/extension/extension');
mkdirSync(out, { recursive: true });

const read = (file) => `-- ${file}\n${readFileSync(path.join(root, 'sql', file), 'utf8').trim()}\n`;
/** In the order of their paths. */
const filesOf = (room) =>
  readdirSync(path.join(root, 'sql', room), { recursive: true })
    .filter((file) => file.endsWith('.sql'))
    .sort();

/** Each records itself in rafiki.migration; the first file is recorded by the second, which creates that table. */
const incremental = filesOf('incremental').map((file, place) => {
  const name = path.basename(file, '.sql');
  const note = place === 0 ? '' : `insert into rafiki.migration (name) values ('${name}');\n`;
  return { name, text: read(`incremental/${file}`) + note };
});
const prologue = read('prologue.sql');
const joining = read('joining.sql');
/** In SQL files, a name between @ stands for a number of src/cli/install/sql-constants.ts; in quotes, for the rows of a registry. */
const registries = registryRows();
const valueIn = (values, name) => {
  if (!Object.hasOwn(values, name)) throw new Error(`there is no value for @${name}@`);
  return JSON.stringify(values[name]).replaceAll("'", "''");
};
const withValues = (text) =>
  text
    .replace(/'@(\w+)@'/g, (_, table) => `'${valueIn(registries, table)}'`)
    .replace(/@(\w+)@/g, (_, name) => valueIn(sqlConstants, name));
const replaceable = filesOf('idempotent').map((file) => withValues(read(`idempotent/${file}`)));
const build = createHash('sha256').update(replaceable.join('')).digest('hex').slice(0, 16);
const idempotent = [
  ...replaceable.slice(0, -2), // before the files that set owners and privileges
  `create function rafiki._build() returns text language sql immutable parallel safe
set search_path = pg_catalog, pg_temp as $$ select '${build}' $$;\n`,
  ...replaceable.slice(-2),
].join('\n');

const script = (files) => [prologue, joining, ...files.map(({ text }) => text), idempotent].join('\n');

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
// If files cannot be added to the server's, Trusted Language Extensions (pg_tle) store the script in the database.
const [, comment] = /^comment = '(.*)'$/m.exec(control);
const quote = '$rafiki_script$';
writeFileSync(
  path.join(root, 'dist/extension/rafiki--pgtle.sql'),
  `-- As a member of pgtle_admin, and after docs/install-managed.sql: psql -1 -v ON_ERROR_STOP=1 -f rafiki--pgtle.sql
-- Then, as the installing role: create extension rafiki;
select pgtle.install_extension('rafiki', '${version}', '${comment}', ${quote}
${script(incremental)}${quote}, '{dblink}');
`,
);
writeFileSync(
  path.join(root, 'dist/extension/parts.json'),
  JSON.stringify({ build, prologue, joining, incremental, idempotent }, null, 1),
);
writeFileSync(path.join(root, 'dist/.built'), '');
