import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { readDataFile } from '../../../src/datasets/data-file.ts';
import { CorruptParams } from '../../../src/errors/errors.ts';

const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-file-'));
const file = path.join(dir, 'rows.jsonl');
afterAll(() => rmSync(dir, { recursive: true }));

test('reads back any rows, long ones and strange line ends among them', async () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('\u2028', '\r', '\n', 'x'.repeat(200_000)));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ label: text, text }), { maxLength: 8 }), async (rows) => {
      writeFileSync(file, rows.map((row) => `${JSON.stringify([row.label, row.text])}\n`).join(''));
      expect(await readDataFile(file)).toEqual(rows);
    }),
    { numRuns: 50 },
  );
});

test('refuses a line that is not a row', async () => {
  writeFileSync(file, '["only a label"]\n');
  await expect(readDataFile(file)).rejects.toThrow(CorruptParams);
});
