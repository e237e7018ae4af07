import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hasService, servicePassword } from '../../src/cli/up/service-password.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';

/** Roles belong to the cluster: in these tests another database of it, the template, has the service's password. */
let database: TestDatabase;
let dir: string;
let file: string;
beforeEach(async () => {
  database = await createTestDatabase();
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-password-'));
  file = path.join(dir, 'service-password');
});
afterEach(async () => {
  rmSync(dir, { recursive: true });
  await database.drop();
});

const passwords = (): Promise<unknown[]> =>
  database.db.query(`select rolname, rolpassword from pg_authid where rolname ~ '^rafiki_' order by 1`);

test('a role that may create roles never changes a password that may be in use', async () => {
  const creator = await database.as('creator');
  const [row] = await creator.query<{ name: string }>('select current_user::text as name');
  await database.db.query(`alter role ${row!.name} createrole`);
  if (postgresVersion() >= 16)
    await database.db.query(`grant rafiki_service, rafiki_reader to ${row!.name} with admin true`);
  const before = await passwords();
  await expect(servicePassword(creator, file, await hasService(creator))).rejects.toMatchObject({
    message: 'the password of rafiki_service is not known here',
    hint: expect.stringContaining('Write its password into that file'),
  });
  expect(await passwords()).toEqual(before);
  expect(existsSync(file)).toBe(false);
});

test('nor does a superuser', async () => {
  const before = await passwords();
  await expect(servicePassword(database.db, file, true)).rejects.toMatchObject({ sqlstate: '58000' });
  expect(await passwords()).toEqual(before);
});

test('if it cannot be set, no file is written', async () => {
  const nobody = await database.as('nobody');
  await expect(servicePassword(nobody, file, false)).rejects.toMatchObject({ code: '42501' });
  expect(existsSync(file)).toBe(false);
});

test('the password in the file is used unchanged', async () => {
  writeFileSync(file, 'service\n');
  expect(await servicePassword(database.db, file, true)).toBe('service');
  expect(readFileSync(file, 'utf8')).toBe('service\n');
});
