import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RoundFolders } from '../../../src/worker/round-folders.ts';

let cache: string;
let folders: RoundFolders;
const study = { createdAt: '1795975805.1' };

beforeEach(() => {
  cache = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
  folders = new RoundFolders(cache);
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

test('the folder of an attempt is private, and found by its workers alone', async () => {
  const key = { trialId: 3, attempt: 1, study };
  expect(folders.find(key)).toBeNull();
  const folder = await folders.create(key);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(path.dirname(folder)).mode & 0o777).toBe(0o700);
  expect(new RoundFolders(cache).find(key)).toBe(folder);
  expect(folders.find({ ...key, attempt: 2 })).toBeNull();
  expect(folders.find({ ...key, study: { createdAt: 'of another database' } })).toBeNull();
  await folders.remove(key);
  expect(folders.find(key)).toBeNull();
});

test('a new attempt deletes the folders of those before it', async () => {
  const killed = await folders.create({ trialId: 3, attempt: 1, study });
  writeFileSync(path.join(killed, 'round'), 'weights');
  const other = await folders.create({ trialId: 31, attempt: 1, study });
  const folder = await folders.create({ trialId: 3, attempt: 2, study });
  expect([existsSync(killed), existsSync(other), existsSync(folder)]).toEqual([false, true, true]);
  writeFileSync(path.join(folder, 'round'), 'weights');
  await folders.create({ trialId: 3, attempt: 2, study }); // claimed again
  expect(readdirSync(folder)).toEqual([]);
});

test('a sweep deletes what nobody has used for a day', async () => {
  await folders.sweep(); // before there is any
  const used = await folders.create({ trialId: 3, attempt: 1, study });
  const abandoned = path.join(cache, 'rounds', '2-0-of-another-database');
  mkdirSync(abandoned);
  const before = Date.now() / 1000 - 25 * 3600;
  utimesSync(abandoned, before, before);
  await folders.sweep();
  expect([existsSync(used), existsSync(abandoned)]).toEqual([true, false]);
});

test('a sweep leaves the folder of a trial that nobody has joined for a day', async () => {
  const key = { trialId: 3, attempt: 1, study };
  await folders.keep(key); // before it has a folder
  const folder = await folders.create(key);
  const before = Date.now() / 1000 - 25 * 3600;
  utimesSync(folder, before, before);
  await folders.keep(key); // with each heartbeat
  await new RoundFolders(cache).sweep();
  expect(folders.find(key)).toBe(folder);
});
