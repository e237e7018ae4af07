// Joins sql/ into one script with two ways in: CREATE EXTENSION rafiki CASCADE, and psql -1 -f.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const out = path.join(root, 'dist/extension/extension');
mkdirSync(out, { recursive: true });

const parts = ['incremental', 'idempotent'].flatMap((room) =>
  readdirSync(path.join(root, 'sql', room))
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => `-- ${room}/${file}\n${readFileSync(path.join(root, 'sql', room, file), 'utf8').trim()}\n`),
);
writeFileSync(path.join(out, `rafiki--${version}.sql`), parts.join('\n'));
const control = readFileSync(path.join(root, 'sql/rafiki.control'), 'utf8').replace('@version@', version);
writeFileSync(path.join(out, 'rafiki.control'), control);
writeFileSync(path.join(root, 'dist/.built'), '');
