import sharp from 'sharp';
import { expect, test } from 'vitest';
import { imageRecords } from '../../../src/datasets/image-rows.ts';
import { kindOf } from '../../../src/domain/kinds/registry.ts';
import type { Task } from '../../../src/domain/task.ts';

const packed = (name: string | Buffer, label: string, image: Buffer): Buffer => {
  const part = (text: string | Buffer): Buffer[] => {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    return [length, bytes];
  };
  const side = Buffer.of(0); // its input decides
  return Buffer.concat([...part(name), ...part(label), side, image]);
};

async function read(rows: { bytes: Buffer; size?: number }[], task: Task = 'image_classification') {
  let inHand = 0;
  let max = 0;
  async function* values() {
    for (const { bytes, size = bytes.length } of rows) {
      inHand += bytes.length;
      max = Math.max(max, inHand);
      yield { bytes, size };
    }
  }
  const skipped = { rows: 0, example: null };
  const records: Buffer[] = [];
  const reading = imageRecords(values(), { kind: kindOf(task), onBadRow: 'skip', skipped });
  for await (const record of reading) {
    records.push(record);
    inHand -= record.length - 40;
  }
  return { records, skipped, max };
}

test('names of rows are cut, and what is no row of the reader is a bad row', async () => {
  const strange = [Buffer.alloc(0), Buffer.from([0x7f, 0xff, 0xff, 0xff, 1]), Buffer.from([0xff, 0xff, 0xff, 0xff])];
  const { skipped } = await read([{ bytes: packed('n'.repeat(10 ** 6), 'a', Buffer.from('no image')) }]);
  expect(String(skipped.example).length).toBeLessThan(300);
  expect((await read(strange.map((bytes) => ({ bytes })))).skipped).toEqual({
    rows: 3,
    example: 'Row 1 as read: a row does not have the format of the reader of the source',
  });
});

test('a bad row goes by the first 200 characters of its name, whatever their bytes', async () => {
  const { skipped } = await read([{ bytes: packed('€'.repeat(300), 'a', Buffer.from('no image')) }]);
  expect(skipped.example).toMatch(/^€{200}: /);
  const nameless = await read([{ bytes: packed('', 'a', Buffer.from('no image')) }]);
  expect(nameless.skipped.example).toMatch(/^Row 1 as read: /);
});

test('a row that was too large to be brought whole says so', async () => {
  const { skipped } = await read([{ bytes: packed('r', 'a', Buffer.from('')), size: 65 * 2 ** 20 }]);
  expect(skipped.example).toBe('r: It has 65.0 MB; the limit is 64 MB.');
});

test('labels of more than 1000 characters are bad rows, those of fewer are none, whatever their bytes', async () => {
  const image = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  const labels = ['🙂'.repeat(1000), 'é'.repeat(1001), 'x'.repeat(10 ** 6)];
  const { records, skipped } = await read(labels.map((label) => ({ bytes: packed('r', label, image) })));
  expect([records.length, skipped.rows]).toEqual([1, 2]);
});

test('the boxes of an image have a megabyte at most', async () => {
  const image = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  const boxes = (bytes: number): string => `[${' '.repeat(bytes - 2)}]`;
  const rows = [2 ** 20, 2 ** 20 + 1].map((bytes) => ({ bytes: packed('r', boxes(bytes), image) }));
  const { records, skipped } = await read(rows, 'object_detection');
  expect([records.length, skipped]).toEqual([
    1,
    { rows: 1, example: 'r: They have 1048577 bytes; the limit is 1 MB.' },
  ]);
});

test('few rows are in hand where they are large', async () => {
  const pixels = { width: 6000, height: 1000, channels: 3, background: 'red' } as const;
  const image = await sharp({ create: pixels }).tiff({ compression: 'none' }).toBuffer(); // 18 MB
  const { records, max } = await read(Array.from({ length: 8 }, () => ({ bytes: packed('r', 'a', image) })));
  expect(records).toHaveLength(8);
  expect(max).toBeLessThan(5 * image.length);
});
