import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { imageRecord, readShard } from '../../../src/datasets/data-file.ts';
import { shardsOf } from '../../../src/datasets/shard.ts';
import { splitRows } from '../../../src/datasets/split.ts';
import { CorruptParams } from '../../../src/errors/errors.ts';
import { readDataFile } from '../../support/read-data-file.ts';

const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-file-'));
const file = path.join(dir, 'rows.jsonl');
afterAll(() => rmSync(dir, { recursive: true }));

/** As a data file is written: its hash at the end. */
function writeSealed(content: string | Buffer): void {
  const bytes = Buffer.from(content as string);
  writeFileSync(file, Buffer.concat([bytes, createHash('sha256').update(bytes).digest()]));
}

test('reads back any rows, long ones and strange line ends among them', async () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('\u2028', '\r', '\n', 'x'.repeat(200_000)));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ label: text, input: text }), { maxLength: 8 }), async (rows) => {
      writeSealed(rows.map((row) => `${JSON.stringify([row.label, row.input])}\n`).join(''));
      expect(await readDataFile(file, 'sentiment')).toEqual(rows);
    }),
    { numRuns: 50 },
  );
});

test('reads whether a text validates', async () => {
  writeSealed('["a", "x", true]\n["b", "y", false]\n["c", "z"]\n');
  expect((await readDataFile(file, 'sentiment')).map((row) => row.validates)).toEqual([true, false, undefined]);
});

test('refuses a line that is not a row', async () => {
  writeSealed('["only a label"]\n');
  await expect(readDataFile(file, 'sentiment')).rejects.toThrow(CorruptParams);
});

const box = fc.record({ label: fc.string(), x: fc.nat(), y: fc.nat(), w: fc.nat(), h: fc.nat() });
const labels = {
  image_classification: fc.string({ unit: 'grapheme' }),
  object_detection: fc.array(box, { maxLength: 3 }),
} as const;

test.each(['image_classification', 'object_detection'] as const)('reads back images as they are: %s', async (task) => {
  const row = fc.record({
    input: fc.uint8Array({ maxLength: 300 }),
    label: labels[task],
    validates: fc.option(fc.boolean(), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 5 }), async (rows) => {
      const given = rows.map(({ validates, ...rest }) => (validates === undefined ? rest : { ...rest, validates }));
      writeSealed(Buffer.concat(given.map(imageRecord)));
      const read = await readDataFile(file, task);
      const bare = read.map((one) => ({ ...one, input: Uint8Array.from(Buffer.from(one.input as Uint8Array)) }));
      expect(bare).toEqual(given);
    }),
    { numRuns: 50 },
  );
});

test('reads images that lie in several parts of the file', async () => {
  const images = [1, 2, 3].map((byte) => ({ input: new Uint8Array(100_000).fill(byte), label: `class ${byte}` }));
  writeSealed(Buffer.concat(images.map(imageRecord)));
  const read = await readDataFile(file, 'image_classification');
  expect(read.map(({ label }) => label)).toEqual(images.map(({ label }) => label));
  for (const [i, { input }] of images.entries()) expect(Buffer.compare(read[i]?.input as Uint8Array, input)).toBe(0);
});

test('refuses labels of another kind', async () => {
  writeSealed(imageRecord({ input: Uint8Array.of(1, 2, 3), label: [] }));
  await expect(readDataFile(file, 'image_classification')).rejects.toThrow(CorruptParams);
});

test('refuses a file of images that is cut off', async () => {
  const record = imageRecord({ input: Uint8Array.of(1, 2, 3), label: 'a' });
  writeSealed(record.subarray(0, -1));
  await expect(readDataFile(file, 'image_classification')).rejects.toThrow(CorruptParams);
});

test.each([
  ['sentiment', '["label", "a text"]\n'],
  ['image_classification', imageRecord({ input: Uint8Array.of(1, 2, 3), label: 'a' })],
] as const)('refuses and deletes a file with any byte changed or lost: %s', async (task, content) => {
  writeSealed(content);
  const whole = readFileSync(file);
  const damaged = Array.from(whole, (byte, at) => {
    const copy = Buffer.from(whole);
    copy[at] = byte ^ 1;
    return copy;
  });
  for (const bytes of [...damaged, whole.subarray(0, -1), whole.subarray(0, 10), Buffer.alloc(0)]) {
    writeFileSync(file, bytes);
    await expect(readDataFile(file, task)).rejects.toMatchObject({ sqlstate: 'XX001' });
    expect(existsSync(file)).toBe(false);
  }
});

test('reads the shards of texts: together all rows, equal inputs in one of them, the classes of all', async () => {
  const rows = Array.from({ length: 90 }, (_, i) => ({ label: `class ${i % 30}`, input: `text ${i % 45}` }));
  writeSealed(rows.map((row) => `${JSON.stringify([row.label, row.input])}\n`).join(''));
  const shards = await Promise.all([0, 1, 2].map((index) => readShard(file, 'sentiment', { index, count: 3 })));
  const places = shards.map((shard) => new Set(shard.rows.map((row) => row.input)));
  expect(places.map(({ size }) => size > 5)).toEqual([true, true, true]);
  expect(places.reduce((sum, { size }) => sum + size, 0)).toBe(45);
  expect(shards.reduce((sum, shard) => sum + shard.rows.length, 0)).toBe(90);
  for (const { known } of shards) expect(known?.length).toBe(30);
  const { train, classes } = splitRows(shards[0]!.rows, { task: 'sentiment', validation: 0.2, ...shards[0] });
  expect(classes.length).toBe(30); // also those of other shards
  expect(train.inputs.length).toBeGreaterThan(0);
});

test('has several shards only for many texts, in a study with a number of workers for each trial', () => {
  const large = { bytes: 2 ** 30, workersPerTrial: 4 };
  expect(shardsOf('sentiment', large)).toBe(4);
  expect(shardsOf('sentiment', { ...large, bytes: 2 ** 28 })).toBe(1);
  expect(shardsOf('sentiment', { ...large, workersPerTrial: null })).toBe(1);
  expect(shardsOf('image_classification', large)).toBe(1);
});
