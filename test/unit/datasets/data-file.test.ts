import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { imageRecord, readDataFile } from '../../../src/datasets/data-file.ts';
import { CorruptParams } from '../../../src/errors/errors.ts';

const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-file-'));
const file = path.join(dir, 'rows.jsonl');
afterAll(() => rmSync(dir, { recursive: true }));

test('reads back any rows, long ones and strange line ends among them', async () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('\u2028', '\r', '\n', 'x'.repeat(200_000)));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ label: text, input: text }), { maxLength: 8 }), async (rows) => {
      writeFileSync(file, rows.map((row) => `${JSON.stringify([row.label, row.input])}\n`).join(''));
      expect(await readDataFile(file, 'sentiment')).toEqual(rows);
    }),
    { numRuns: 50 },
  );
});

test('refuses a line that is not a row', async () => {
  writeFileSync(file, '["only a label"]\n');
  await expect(readDataFile(file, 'sentiment')).rejects.toThrow(CorruptParams);
});

test('reads back images as they are, with a label or with boxes', async () => {
  const box = fc.record({ label: fc.string(), x: fc.nat(), y: fc.nat(), w: fc.nat(), h: fc.nat() });
  const row = fc.record({
    input: fc.uint8Array({ maxLength: 300 }),
    label: fc.oneof(fc.string({ unit: 'grapheme' }), fc.array(box, { maxLength: 3 })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 5 }), async (rows) => {
      writeFileSync(file, Buffer.concat(rows.map(imageRecord)));
      const read = await readDataFile(file, 'object_detection');
      expect(read.map(({ input, label }) => ({ input: Uint8Array.from(Buffer.from(input)), label }))).toEqual(rows);
    }),
    { numRuns: 50 },
  );
});

test('refuses a file of images that is cut off', async () => {
  const record = imageRecord({ input: Uint8Array.of(1, 2, 3), label: 'a' });
  writeFileSync(file, record.subarray(0, -1));
  await expect(readDataFile(file, 'image_classification')).rejects.toThrow(CorruptParams);
});
