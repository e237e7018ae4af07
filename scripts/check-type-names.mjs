// A type name means one thing in the whole tree.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const declaration = /^(?:export )?(?:declare )?(?:abstract )?(?:interface|class|type|enum) ([A-Z]\w*)/gm;

const declaredIn = new Map();
for (const room of ['src', 'test', 'bench']) {
  for (const entry of readdirSync(path.join(root, room), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    const file = path.join(entry.parentPath, entry.name);
    for (const [, name] of readFileSync(file, 'utf8').matchAll(declaration))
      declaredIn.set(name, [...(declaredIn.get(name) ?? []), path.relative(root, file)]);
  }
}
const twice = [...declaredIn].filter(([, files]) => files.length > 1);
for (const [name, files] of twice) console.error(`type ${name} means several things: ${files.join(', ')}`);
process.exit(twice.length === 0 ? 0 : 1);
