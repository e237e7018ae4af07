// A type name means one thing in the whole tree, and the name of an exported function, constant or class in the whole of src.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const typeDeclaration = /^(?:export )?(?:declare )?(?:abstract )?(?:interface|class|type|enum) ([A-Z]\w*)/gm;
const exportedValue = /^export (?:async )?(?:abstract )?(?:function\*?|const|class) (\w+)/gm;

/** Imported as namespaces only, so that their names are unique together with the namespace's. */
const namespaces = new Map([['src/graph/emit.ts', 'emit']]);

const types = new Map();
const values = new Map();
const problems = [];

const add = (names, name, file) => names.set(name, [...(names.get(name) ?? []), file]);

for (const room of ['src', 'test', 'bench']) {
  for (const entry of readdirSync(path.join(root, room), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !/\.tsx?$/.test(entry.name)) continue;
    const file = path.relative(root, path.join(entry.parentPath, entry.name));
    const text = readFileSync(path.join(root, file), 'utf8');
    for (const [, name] of text.matchAll(typeDeclaration)) add(types, name, file);
    if (room !== 'src') continue;
    const namespace = namespaces.get(file);
    for (const [, name] of text.matchAll(exportedValue))
      add(values, namespace === undefined ? name : `${namespace}.${name}`, file);
    for (const [imported, name] of namespaces)
      if (new RegExp(`^import \\{.*/${path.basename(imported)}'`, 'm').test(text))
        problems.push(`${file} must import ${imported} as a namespace: import * as ${name}`);
  }
}

const repeated = (names) => [...names].filter(([, files]) => files.length > 1);
for (const [name, files] of repeated(types)) problems.push(`type ${name} means several things: ${files.join(', ')}`);
for (const [name, files] of repeated(values))
  problems.push(`${name} is exported by several files: ${files.join(', ')}`);
for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);
