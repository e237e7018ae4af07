import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDataDir } from '../../../src/cli/up/data-dir.ts';
import { readSecret, storedPassword, writeSecret } from '../../../src/cli/up/secret-file.ts';

/** What another user of the machine may have prepared where `up` keeps its database and its passwords. */
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

let above: string;
let dir: string;
beforeEach(() => {
  above = mkdtempSync(path.join(tmpdir(), 'rafiki-data-'));
  dir = path.join(above, 'data');
});
afterEach(() => rmSync(above, { recursive: true }));

const mode = (name: string): number => statSync(path.join(dir, name)).mode & 0o777;

const refusal = (detail: string): object => ({
  sqlstate: '58000',
  message: expect.stringContaining('cannot be used as the data folder'),
  detail: expect.stringContaining(detail),
  hint: expect.stringContaining('--data-dir'),
});

test('the folder is created with mode 0711; secrets are private to the user', async () => {
  await openDataDir(dir);
  writeSecret(path.join(dir, 'admin-url'), 'postgres://…');
  const { password, isNew } = storedPassword(dir, 'user-password');
  expect([isNew, storedPassword(dir, 'user-password')]).toEqual([true, { password, isNew: false }]);
  expect([mode('.'), mode('admin-url'), mode('user-password')]).toEqual([0o711, 0o600, 0o600]);
  await openDataDir(dir); // as at the next start
});

test('a folder that is writable for all users is made private', async () => {
  mkdirSync(dir);
  chmodSync(dir, 0o777);
  await openDataDir(dir);
  expect(mode('.')).toBe(0o711);
});

test('a link to a folder is refused, and a hard link to a file of ours', async () => {
  const elsewhere = path.join(above, 'elsewhere');
  mkdirSync(elsewhere);
  symlinkSync(elsewhere, dir);
  await expect(openDataDir(dir)).rejects.toMatchObject(refusal('symbolic link'));
  rmSync(dir);
  await openDataDir(dir);
  writeFileSync(path.join(elsewhere, 'profile'), 'mine');
  linkSync(path.join(elsewhere, 'profile'), path.join(dir, 'rafiki.log'));
  await expect(openDataDir(dir)).rejects.toMatchObject(refusal('rafiki.log in it has another hard link'));
});

test('a secret is written to no other file: a link in its place goes', async () => {
  await openDataDir(dir);
  const [target, link] = [path.join(above, 'target'), path.join(dir, 'admin-url')];
  writeFileSync(target, 'before');
  symlinkSync(target, link);
  writeSecret(link, 'secret');
  expect(readFileSync(target, 'utf8')).toBe('before');
  expect(lstatSync(link).isSymbolicLink()).toBe(false);
  expect(readSecret(link)).toBe('secret');
});

test('a secret that is a link, or writable for other users, is refused; a readable one is made private', async () => {
  await openDataDir(dir);
  const [target, file] = [path.join(above, 'target'), path.join(dir, 'service-password')];
  writeFileSync(target, 'known', { mode: 0o600 });
  symlinkSync(target, file);
  const unfit = { sqlstate: '58000', message: expect.stringContaining(file), hint: expect.stringContaining('0600') };
  expect(() => storedPassword(dir, 'service-password')).toThrow(expect.objectContaining(unfit));
  rmSync(file);
  writeFileSync(file, 'known');
  chmodSync(file, 0o666);
  expect(() => readSecret(file)).toThrow(expect.objectContaining({ ...unfit, detail: 'Others may write to it.' }));
  chmodSync(file, 0o644);
  expect(readSecret(file)).toBe('known');
  expect(mode('service-password')).toBe(0o600);
});

describe.skipIf(!isRoot)('what belongs to another user', () => {
  test('is no data folder, nor may it be in one, but for what Postgres owns', async () => {
    mkdirSync(dir);
    chownSync(dir, NOBODY, NOBODY);
    await expect(openDataDir(dir)).rejects.toMatchObject(refusal(`belongs to user ${NOBODY}`));
    chownSync(dir, 0, 0);
    for (const name of ['db', 'password', 'user-password'])
      writeFileSync(path.join(dir, name), 'known', { mode: 0o600 });
    for (const name of ['db', 'password']) chownSync(path.join(dir, name), NOBODY, NOBODY);
    await expect(openDataDir(dir)).rejects.toMatchObject(refusal(`db in it belongs to user ${NOBODY}`));
    await openDataDir(dir, { uid: NOBODY, gid: NOBODY });
    await openDataDir(dir, 'unused');
    expect(readSecret(path.join(dir, 'password'), NOBODY)).toBe('known');
    expect(() => readSecret(path.join(dir, 'password'))).toThrow('cannot be trusted');
    chownSync(path.join(dir, 'user-password'), NOBODY, NOBODY);
    await expect(openDataDir(dir, 'unused')).rejects.toMatchObject(refusal('user-password in it belongs to user'));
  });
});
