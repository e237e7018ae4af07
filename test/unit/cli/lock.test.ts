import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeLock } from '../../../src/cli/up/lock.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-lock-'));
  file = path.join(dir, 'up.pid');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Whose `up` this is: vitest's other processes run, too. */
const living = process.ppid;
const lockedBy = (content: string): void => writeFileSync(file, content);
const holder = (): string => readFileSync(file, 'utf8').split('\n')[0] ?? '';
const tells = existsSync('/proc/self/stat') && existsSync('/proc/sys/kernel/random/boot_id');

test('a folder has one holder, which other code of the same process is not', () => {
  expect(takeLock(dir)).toBe(file);
  expect(holder()).toBe(String(process.pid));
  if (tells) expect(() => takeLock(dir)).toThrow(expect.objectContaining({ message: `${dir} is in use` }));
});

test.each(['', '0', 'no number', `${spawnSync('true').pid}\n`])(
  'a lock of no living process is replaced: "%s"',
  (content) => {
    lockedBy(content);
    takeLock(dir);
    expect(holder()).toBe(String(process.pid));
  },
);

test.runIf(tells)('so is one whose process has ended and whose id another process has, after a power loss', () => {
  takeLock(dir);
  const [, birth = ''] = readFileSync(file, 'utf8').split('\n');
  const [ticks = '', boot = ''] = birth.split(' ');
  for (const other of [`${ticks}0 ${boot}`, `${ticks} another-start`]) {
    for (const pid of [living, process.pid]) {
      lockedBy(`${pid}\n${other}\n`);
      takeLock(dir);
      expect(holder()).toBe(String(process.pid));
    }
  }
});

test('a lock without the time of a start, as older versions write it, is that of the process with the id', () => {
  for (const content of [`${living}`, `${living}\n\n`]) {
    lockedBy(content);
    expect(() => takeLock(dir)).toThrow(expect.objectContaining({ detail: `Process ${living} runs rafiki on it.` }));
    expect(readFileSync(file, 'utf8')).toBe(content);
  }
  lockedBy(`${process.pid}`); // in a container, where each start has the same id
  takeLock(dir);
});
