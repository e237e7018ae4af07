import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deleteUnfinished, fileName, lockOf, makeRoom, unfinishedOf } from '../../../src/datasets/data-folder.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-folder-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A file of that many bytes, used so many seconds ago. */
function write(name: string, { bytes = 10, ago = 100 } = {}): string {
  const file = path.join(dir, name);
  writeFileSync(file, Buffer.alloc(bytes));
  const used = Date.now() / 1000 - ago;
  utimesSync(file, used, used);
  return name;
}
const rows = (id: number): string => fileName({ id, createdAt: 'x' });

test('room is made by deleting the files of rows that were not used for the longest time, and nothing else', async () => {
  const [oldest, large, kept] = [rows(1), rows(2), rows(3)];
  write(oldest, { ago: 300 });
  write(large, { bytes: 1_000, ago: 200 });
  write(kept);
  const others = [write(lockOf(kept), { ago: 400 }), write('models', { bytes: 5_000, ago: 500 })];
  await makeRoom(dir, 1_020);
  expect(readdirSync(dir)).toHaveLength(5);
  await makeRoom(dir, 1_019);
  expect(readdirSync(dir)).not.toContain(oldest);
  await makeRoom(dir, 100);
  expect(readdirSync(dir).sort()).toEqual([kept, ...others].sort());
});

test('a file that a training process may be about to open stays', async () => {
  write(rows(1), { ago: 1 });
  await makeRoom(dir, 0);
  expect(readdirSync(dir)).toEqual([rows(1)]);
});

test('what a killed worker has written so far is deleted, not what another one is writing', async () => {
  const [killed, reading] = [rows(1), rows(2)];
  write(unfinishedOf(killed), { ago: 30 });
  write(lockOf(killed), { ago: 30 });
  write(unfinishedOf(rows(3)), { ago: 1 });
  const writing = write(unfinishedOf(reading), { ago: 30 });
  write(lockOf(reading), { ago: 1 });
  await deleteUnfinished(dir);
  expect(readdirSync(dir).sort()).toEqual([lockOf(killed), lockOf(reading), writing].sort());
});
