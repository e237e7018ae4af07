import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DiskCache } from '../../../src/runtime/disk/disk-cache.ts';
import { smallDisk } from '../../support/small-disk.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-disk-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const bytes = (length: number): Buffer => Buffer.alloc(length, 7);
/** Makes a file look as if it had been used so many minutes ago. */
const age = (name: string, minutes: number): void => {
  const then = new Date(Date.now() - 60_000 * minutes);
  utimesSync(path.join(dir, name), then, then);
};

test('gives back what was written, also to another process, and nothing for what was not', async () => {
  const cache = new DiskCache({ dir: path.join(dir, 'new'), maxBytes: 1000 });
  expect(await cache.get('a')).toBeUndefined();
  await cache.set('a', bytes(10));
  expect(await new DiskCache({ dir: path.join(dir, 'new'), maxBytes: 1000 }).get('a')).toEqual(bytes(10));
});

test('drops what was not used for longest when there are too many bytes', async () => {
  const cache = new DiskCache({ dir, maxBytes: 1000 });
  for (const name of ['a', 'b', 'c']) await cache.set(name, bytes(300));
  for (const [i, name] of ['a', 'b', 'c'].entries()) age(name, 10 - i);
  expect(await cache.get('a')).toEqual(bytes(300)); // used just now
  await cache.set('d', bytes(300));
  expect(readdirSync(dir).sort()).toEqual(['a', 'c', 'd']);
});

test('counts what other processes and a crash have left', async () => {
  const other = new DiskCache({ dir, maxBytes: 10_000 });
  for (const name of ['a', 'b', 'c.tmp']) await other.set(name, bytes(400));
  for (const name of ['a', 'b', 'c.tmp']) age(name, 5);
  await new DiskCache({ dir, maxBytes: 1000 }).set('d', bytes(400));
  const left = readdirSync(dir);
  expect(left).toContain('d');
  expect(left).toHaveLength(2);
});

test('does not give up everything for one that fills it', async () => {
  const cache = new DiskCache({ dir, maxBytes: 1000 });
  await cache.set('a', bytes(300));
  await cache.set('huge', bytes(900));
  expect(readdirSync(dir)).toEqual(['a']);
});

test('names a full disk and its folder, and leaves no part of a file', async ({ skip }) => {
  const disk = smallDisk();
  if (disk === undefined) return skip('this process may not mount');
  try {
    const cache = new DiskCache({ dir: path.join(disk.dir, 'full'), maxBytes: 2 ** 30 });
    await expect(cache.set('a', bytes(2 ** 21))).rejects.toMatchObject({
      sqlstate: '58000',
      detail: expect.stringContaining(disk.dir),
    });
    expect(readdirSync(path.join(disk.dir, 'full'))).toEqual([]);
  } finally {
    disk.remove();
  }
});
