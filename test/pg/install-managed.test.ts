import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { extensionDir, install } from '../../src/cli/install.ts';
import type { Database } from '../../src/db/database.ts';
import { version } from '../../src/runtime/version.ts';
import { catalogue } from '../support/catalogue.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';
import { type Running, startProcesses } from '../support/running.ts';
import { SERVICE_PASSWORD } from '../support/service-password.ts';
import { createReviews, eventually, studyEnd } from '../support/studies.ts';

const noPsql = !existsSync('/usr/bin/psql');
if (noPsql) console.log('psql is not on this machine: what an administrator runs is not tested');
const file = path.resolve(import.meta.dirname, '../../docs/install-managed.sql');

let database: TestDatabase;
/** Of a role that may create neither roles nor extensions. */
let installer: Database;
let processes: Running | undefined;
beforeEach(async () => {
  database = await createTestDatabase('template0');
  installer = await database.as('installer');
  processes = undefined;
});
afterEach(async () => {
  await processes?.stop();
  await database.drop();
});

async function administrate(): Promise<void> {
  const [row] = await installer.query<{ name: string }>('select current_user::text as name');
  const variables = ['ON_ERROR_STOP=1', `installer=${row?.name}`, `password=${SERVICE_PASSWORD}`];
  const args = ['-X', '-q', ...variables.flatMap((each) => ['-v', each]), '-f', file, database.url];
  execFileSync('psql', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

test('without an administrator it says what is missing', async () => {
  await expect(install(installer)).rejects.toMatchObject({
    message: 'this role may not install rafiki into the database',
    hint: expect.stringContaining('docs/install-managed.sql'),
  });
});

test.skipIf(noPsql)('after him a role without any privilege installs; models train and predict', async () => {
  await administrate();
  expect(await install(installer)).toBe(postgresVersion() < 18 ? 'as a script' : 'as an extension');
  processes = await startProcesses(database.service);
  const alice = await database.as('alice');
  await database.db.query('grant create on schema public to public');
  await createReviews(alice, 100);
  const [row] = await alice.query<{ id: number }>(
    `select rafiki_train('sentiment', 'reviews', families => '{fasttext}', max_trials => 1) as id`,
  );
  expect(await studyEnd(database.db, row!.id)).toMatchObject({ state: 'completed' });
  await eventually(database.db, `select from rafiki.deployment where state = 'ready'`);
  expect(await alice.query(`select rafiki_predict('reviews_sentiment', 'a great film') as label`)).toEqual([
    { label: 'pos' },
  ]);
});

test.skipIf(noPsql)(
  'what that role installs, and brings up to date, is what a superuser would have installed',
  async () => {
    await administrate();
    const { prologue, idempotent } = JSON.parse(readFileSync(path.join(extensionDir, 'parts.json'), 'utf8'));
    const script = readFileSync(path.join(extensionDir, 'extension', `rafiki--${version}.sql`), 'utf8');
    for (const sql of [script, prologue + idempotent]) await installer.transaction((tx) => tx.query(sql));
    expect(await install(installer)).toBe('there already');
    const other = await createTestDatabase('template0');
    try {
      await other.db.transaction((tx) => tx.query(script));
      expect(await catalogue(database.db)).toEqual(await catalogue(other.db));
    } finally {
      await other.drop();
    }
  },
);
