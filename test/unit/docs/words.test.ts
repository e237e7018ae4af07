import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../..');
const files = ['src', 'sql/idempotent', 'scripts', '.ci'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name)),
);

/** Words of CONTRIBUTING.md that have no other meaning; as names, also "look". The columns overdue_looks and judged_rows and YOLO keep theirs. */
const replaced = [
  /[Jj]udg(?!ed_rows)|\bMOST_/,
  /\b(?:anew|backstop|beside|stranger|whoever|side by side|heard of)\b/i,
  /\b(?:const|let|constant) look\b|\b(?!overdue)[a-z]+_looks?\b|\blooks?_\w|#look|[a-z]Looks?(?!Ahead)\b|[a-z]LookMs/,
];

test('code, comments and messages use the words of CONTRIBUTING.md', () => {
  const found = files.flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => replaced.some((pattern) => pattern.test(line)))
      .map((line) => `${path.relative(root, file)}: ${line.trim()}`),
  );
  expect(found).toEqual([]);
});
