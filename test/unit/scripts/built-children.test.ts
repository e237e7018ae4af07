import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isBuildOf } from '../../support/built-children.ts';

/** A tree of two sources, as the compiler records it. */
let tree: string;
let src: string;
let record: string;
const put = (file: string, text: string): void => writeFileSync(path.join(src, file), text);

beforeAll(() => {
  tree = mkdtempSync(path.join(tmpdir(), 'rafiki-built-'));
  src = path.join(tree, 'src');
  record = path.join(tree, 'dist/.tsbuildinfo');
  mkdirSync(src);
  put('one.ts', `export { two } from './two.js';\n`);
  put('two.ts', 'export const two: number = 2;\n');
  writeFileSync(
    path.join(tree, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        incremental: true,
        rootDir: 'src',
        outDir: 'dist',
        tsBuildInfoFile: record,
        types: [],
        lib: ['es5'],
      },
      include: ['src'],
    }),
  );
  const tsc = path.resolve(import.meta.dirname, '../../../node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', tree]);
}, 120_000);
afterAll(() => rmSync(tree, { recursive: true }));

test('a build is one of its sources until one of them is changed or added', () => {
  expect(isBuildOf(src, path.join(tree, 'dist/none'))).toBe(false);
  expect(isBuildOf(src, record)).toBe(true);
  put('two.ts', 'export const two: number = 3;\n');
  expect(isBuildOf(src, record)).toBe(false);
  put('two.ts', 'export const two: number = 2;\n');
  expect(isBuildOf(src, record)).toBe(true);
  put('three.ts', 'export {};\n');
  expect(isBuildOf(src, record)).toBe(false);
});
