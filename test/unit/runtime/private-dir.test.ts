import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DiskCache } from '../../../src/runtime/disk/disk-cache.ts';
import { ensurePrivateDir, ensureUsableDir } from '../../../src/runtime/disk/private-dir.ts';

import { smallDisk } from '../../support/small-disk.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-private-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const refusal = (detail: string): object => ({
  sqlstate: '58000',
  message: expect.stringContaining(dir),
  detail: expect.stringContaining(detail),
  hint: expect.stringContaining('RAFIKI_CACHE_DIR'),
});

test('makes a folder for this user alone, with those above it', async () => {
  const deep = path.join(dir, 'a', 'b');
  await ensurePrivateDir(deep);
  expect(statSync(deep).mode & 0o777).toBe(0o700);
  expect(statSync(path.dirname(deep)).mode & 0o777).toBe(0o700);
});

test('refuses a folder that cannot be created, immediately', async () => {
  const refused = { sqlstate: '58000', detail: expect.stringContaining('cannot be created') };
  await expect(ensurePrivateDir('/proc/rafiki/deep')).rejects.toMatchObject(refused);
});

test('reports a folder that is not writable', async () => {
  await ensureUsableDir(path.join(dir, 'usable'));
  expect(readdirSync(path.join(dir, 'usable'))).toEqual([]);
  writeFileSync(path.join(dir, 'file'), '');
  await expect(ensureUsableDir(path.join(dir, 'file'))).rejects.toMatchObject({ sqlstate: '58000' });
  const disk = smallDisk();
  if (disk === undefined) return;
  try {
    writeFileSync(path.join(disk.dir, 'ballast'), Buffer.alloc(2 ** 20 - 8192));
    const refused = { sqlstate: '58000', detail: expect.stringContaining('ENOSPC') };
    await expect(ensureUsableDir(disk.dir)).rejects.toMatchObject(refused);
  } finally {
    disk.remove();
  }
});

test('closes one of ours that was open', async () => {
  const open = path.join(dir, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  await ensurePrivateDir(open);
  expect(statSync(open).mode & 0o777).toBe(0o700);
});

test('refuses a link to a folder, a file, and a parent folder in which every user may rename', async () => {
  const [link, file] = [path.join(dir, 'link'), path.join(dir, 'file')];
  mkdirSync(path.join(dir, 'there'), { mode: 0o700 });
  symlinkSync(path.join(dir, 'there'), link);
  writeFileSync(file, '');
  await expect(ensurePrivateDir(link)).rejects.toMatchObject(refusal('symbolic link'));
  await expect(ensurePrivateDir(file)).rejects.toMatchObject(refusal('cannot be created'));
  const shared = path.join(dir, 'shared');
  mkdirSync(shared);
  chmodSync(shared, 0o777);
  await expect(ensurePrivateDir(path.join(shared, 'ours'))).rejects.toMatchObject(refusal('is writable for all users'));
  chmodSync(shared, 0o1777); // as the system's temporary folder is
  await ensurePrivateDir(path.join(shared, 'ours'));
});

describe.skipIf(!isRoot)('a folder that another user made', () => {
  test('is refused, as is one of ours within it', async () => {
    const theirs = path.join(dir, 'theirs');
    mkdirSync(theirs);
    chmodSync(theirs, 0o777);
    chownSync(theirs, NOBODY, NOBODY);
    await expect(ensurePrivateDir(theirs)).rejects.toMatchObject(refusal(`belongs to user ${NOBODY}`));
    await expect(ensurePrivateDir(path.join(theirs, 'ours'))).rejects.toMatchObject(refusal('The folder above'));
  });

  test('gives no parameter or model, and gets none', async () => {
    const theirs = path.join(dir, 'theirs');
    mkdirSync(theirs);
    writeFileSync(path.join(theirs, 'name'), 'swapped');
    chownSync(theirs, NOBODY, NOBODY);
    const cache = new DiskCache({ dir: theirs, maxBytes: 1000 });
    await expect(cache.get('name')).rejects.toMatchObject(refusal('belongs to user'));
    await expect(cache.set('name', Buffer.from('ours'))).rejects.toMatchObject(refusal('belongs to user'));
  });
});
