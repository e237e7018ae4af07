import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';

const root = mkdtempSync(path.join(tmpdir(), 'rafiki-stale-'));
afterAll(() => rmSync(root, { recursive: true }));

const write = (...files: string[]): void => {
  for (const file of files) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), '');
  }
};

test('the output of a deleted source file is removed from dist, with its folder; everything else stays', () => {
  const built = ['.built', '.tsbuildinfo', 'index.js', 'index.d.ts', 'index.js.map', 'db/pool.js', 'sbom.json'];
  write('src/index.ts', 'src/db/pool.ts', ...built.map((file) => `dist/${file}`));
  write('dist/old/gone.js', 'dist/old/gone.d.ts', 'dist/db/gone.js.map', 'dist/notes.txt', 'dist/extension/old.sql');

  execFileSync(process.execPath, [path.resolve(import.meta.dirname, '../../../scripts/remove-stale.mjs'), root]);

  const left = readdirSync(path.join(root, 'dist'), { recursive: true, encoding: 'utf8' });
  expect(left.sort()).toEqual([...built, 'db'].sort());
});
