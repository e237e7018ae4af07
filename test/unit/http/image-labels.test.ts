import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { readLabels } from '../../../src/http/upload/image-labels.ts';

const images = { folder: '.', known: new Set(['a.png', 'b.png']) };

test('rows name images from their folder on, or from that of the archive', async () => {
  const set = { folder: 'set', known: new Set(['set/a.png', 'other/b.png']) };
  const found = await readLabels(Buffer.from('\ufefffile,more,label\na.png,1,"x, y"\n\nother/b.png,2,z\n'), set);
  expect([...found]).toEqual([
    ['set/a.png', 'x, y'],
    ['other/b.png', 'z'],
  ]);
});

test.each([
  ['rows', Buffer.from(`file,label\n${'a.png,x\n'.repeat(100_001)}`), /100000 rows/],
  ['columns', Buffer.from(`file,label\na.png${','.repeat(5_000_000)}\n`), /1048576 bytes/],
])('too many %s are refused before all of them are read', { timeout: 60_000 }, async (_, bytes, detail) => {
  await expect(readLabels(bytes, images)).rejects.toMatchObject({
    sqlstate: '54000',
    detail: expect.stringMatching(detail),
  });
});

test('others have their turns while a long file is read', { timeout: 60_000 }, async () => {
  let ends = false;
  const reading = readLabels(Buffer.from(`file,label\n${'a.png,x\n'.repeat(100_000)}`), images).finally(() => {
    ends = true;
  });
  let turns = 0;
  for (; !ends; turns++) await setImmediate();
  expect(turns).toBeGreaterThan(10); // 800 kB in parts of 64 KiB
  expect([...(await reading)]).toEqual([['a.png', 'x']]);
});
