import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

test('META.json has the version of the package, and names files that the build makes', () => {
  const { version } = JSON.parse(read('package.json'));
  const meta = JSON.parse(read('META.json'));
  expect([meta.version, meta.provides.rafiki.version]).toEqual([version, version]);
  for (const file of [meta.provides.rafiki.file, meta.provides.rafiki.docfile]) {
    expect(existsSync(path.join(root, file)), file).toBe(true);
  }
  expect(read('sql/rafiki.control')).toContain("requires = 'dblink'");
});
