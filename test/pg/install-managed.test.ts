import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { install } from '../../src/cli/install/install.ts';
import { becomeOwner, ownerMembers } from '../../src/cli/install/owner-role.ts';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import { scramVerifier } from '../../src/cli/logins.ts';
import { Database } from '../../src/db/database.ts';
import type { EnvironmentUnfit } from '../../src/errors/errors.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { version } from '../../src/runtime/version.ts';
import { catalogue } from '../support/catalogue.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';
import { released } from '../support/released.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { SERVICE_PASSWORD } from '../support/service-password.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews, eventually, studyEnd } from '../support/studies.ts';

const script = readFileSync(path.join(extensionDir, 'extension', `rafiki--${version}.sql`), 'utf8');
const noPsql = !existsSync('/usr/bin/psql');
if (noPsql) console.log('psql is not on this machine: what an administrator runs is not tested');
const file = path.resolve(import.meta.dirname, '../../docs/install-managed.sql');

let database: TestDatabase;
/** Of a role that may create neither roles nor extensions. */
let installer: Database;
let processes: RunningProcesses | undefined;
beforeEach(async () => {
  database = await createTestDatabase('template0');
  installer = await database.as('installer');
  processes = undefined;
});
afterEach(async () => {
  await processes?.stop();
  await database.drop();
});

async function nameOf(session: Database): Promise<string> {
  const [row] = await session.query<{ name: string }>('select session_user::text as name');
  return row!.name;
}

async function administrate(): Promise<void> {
  const verifier = scramVerifier(SERVICE_PASSWORD);
  const variables = ['ON_ERROR_STOP=1', `installer=${await nameOf(installer)}`, `verifier=${verifier}`];
  const args = ['-X', '-q', ...variables.flatMap((each) => ['-v', each]), '-f', file, database.url];
  execFileSync('psql', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

const asOwner = (sql: string): Promise<unknown> =>
  installer.transaction(async (tx) => {
    await becomeOwner(tx);
    await tx.query(sql);
  });

/** What `rafiki install` says that an administrator has to run. */
async function missing(): Promise<string[]> {
  const failure = await install(installer).then(
    () => undefined,
    (error: EnvironmentUnfit) => error,
  );
  expect(failure).toMatchObject({ message: 'this role may not install rafiki into the database' });
  const [how, ...statements] = failure?.hint?.split('\n  ') ?? [];
  expect(how).toContain('docs/install-managed.sql');
  return statements;
}

test('without an administrator, the error lists the missing statements, which are sufficient', async () => {
  // the roles are there already: they belong to the cluster, and another database has them
  const statements = await missing();
  expect(statements).toContain('create extension dblink schema rafiki_dblink;');
  for (const each of statements) await database.db.query(each);
  expect(await install(installer)).toBe(postgresVersion() < 18 ? 'as a script' : 'as an extension');
});

test.each([
  ['create on database', (name: string) => `revoke create on database ${name} from rafiki_owner`],
  ['usage, create on schema public', () => 'revoke create on schema public from rafiki_owner'],
  [
    'usage on foreign data wrapper dblink_fdw',
    () => 'revoke usage on foreign data wrapper dblink_fdw from rafiki_owner',
  ],
  ['rafiki_owner to', (_: string, role: string) => `revoke rafiki_owner from ${role}`],
])('where one right is missing, grant %s, it names that one', async (right, revoke) => {
  for (const each of await missing()) await database.db.query(each);
  await database.db.query(revoke(new URL(database.url).pathname.slice(1), await nameOf(installer)));
  const [only, ...others] = await missing();
  expect(only).toContain(`grant ${right}`);
  expect(others).toEqual([]);
  await database.db.query(only ?? '');
  await install(installer);
});

test.skipIf(noPsql)(
  'after the administrator, a role without privileges can install; models train and predict',
  async () => {
    await administrate();
    expect(await install(installer)).toBe(postgresVersion() < 18 ? 'as a script' : 'as an extension');
    await database.db.query(`revoke rafiki_owner from ${await nameOf(installer)}`);
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
  },
);

test.skipIf(noPsql)(
  'what that role installs, and brings up to date, is what a superuser would have installed',
  async () => {
    await administrate();
    const { prologue, joining, idempotent } = JSON.parse(readFileSync(path.join(extensionDir, 'parts.json'), 'utf8'));
    for (const sql of [script, prologue + joining + idempotent]) await asOwner(sql);
    expect(await install(installer)).toBe('unchanged');
    const other = await createTestDatabase('template0');
    try {
      await other.db.transaction((tx) => tx.query(script));
      expect(await catalogue(database.db)).toEqual(await catalogue(other.db));
    } finally {
      await other.drop();
    }
  },
);

test.skipIf(noPsql)('the rights granted for an installation can be revoked, and none remain', async () => {
  await administrate();
  await install(installer);
  const name = await nameOf(installer);
  expect(await ownerMembers(database.db)).toEqual([name]);
  await database.db.query(`revoke rafiki_owner from ${name}`);
  expect(await ownerMembers(database.db)).toEqual([]);
  expect(await install(installer)).toBe('unchanged');
  const owned = `select classid::regclass::text as what from pg_shdepend
    where refobjid = $1::regrole and deptype = 'o' and dbid = (select oid from pg_database where datname = current_database())`;
  expect(await database.db.query(owned, [name])).toEqual([]);
  for (const attack of [
    'set role rafiki_owner',
    'select * from rafiki.bridge',
    'drop extension rafiki',
    'drop schema rafiki cascade',
    'create or replace function rafiki._home() returns text language sql as $$ select $$',
    'create table rafiki.mine ()',
  ])
    expect((await failureOf(installer, attack)).code, attack).toMatch(/^(42501|42704|0A000)$/);
});

test.skipIf(noPsql)('0.1.0 installed by a role without privileges can be upgraded by that role', async () => {
  const name = await nameOf(installer);
  await database.db.query(`
    create schema rafiki_dblink; create extension dblink schema rafiki_dblink;
    grant usage on schema rafiki_dblink to ${name}; grant usage on foreign data wrapper dblink_fdw to ${name};
    grant create on database ${new URL(database.url).pathname.slice(1)} to ${name}; grant create on schema public to ${name}`);
  await installer.query(released('rafiki--0.1.0'));
  await administrate();
  expect(await install(installer)).toBe('upgraded');
  await database.db.query(
    `revoke rafiki_owner from ${name}; revoke usage on foreign data wrapper dblink_fdw from ${name}`,
  );
  const other = await createTestDatabase('template0');
  try {
    await other.db.transaction((tx) => tx.query(script));
    expect(await catalogue(database.db)).toEqual(await catalogue(other.db));
  } finally {
    await other.drop();
  }
});

test.skipIf(noPsql)('an upgrade without the membership is refused, with the statement to run', async () => {
  await administrate();
  await asOwner(script);
  await database.db.query(`revoke rafiki_owner from ${await nameOf(installer)}`);
  const { prologue, joining, idempotent } = JSON.parse(readFileSync(path.join(extensionDir, 'parts.json'), 'utf8'));
  expect(await failureOf(installer, prologue + joining + idempotent)).toMatchObject({
    code: '42501',
    message: 'only a member of rafiki_owner may install or upgrade rafiki',
    hint: expect.stringContaining('docs/install-managed.sql'),
  });
  await administrate();
  await asOwner(prologue + joining + idempotent);
});

test.skipIf(noPsql)(
  'the installer of one database has no rights in the others, once the membership is revoked',
  async () => {
    const shop = await createTestDatabase();
    try {
      await administrate();
      await install(installer);
      const url = new URL(installer.url);
      url.pathname = new URL(shop.url).pathname;
      const there = new Database({
        url: url.href,
        application: 'test',
        asUser: true,
        maxConnections: 1,
        logger: silentLogger,
      });
      await there.query('set role rafiki_owner'); // what security.md says: while the membership is left over
      await there.query('reset role');
      await database.db.query(`revoke rafiki_owner from ${await nameOf(installer)}`);
      expect(await failureOf(there, 'set role rafiki_owner')).toMatchObject({ code: '42501' });
      await there.stop();
    } finally {
      await shop.drop();
    }
  },
);

test('a role that may grant itself rafiki_owner is a member during the installation only', async () => {
  const shop = await createTestDatabase('template0');
  try {
    await shop.db.transaction((tx) => tx.query(script));
    const creator = await shop.as('creator');
    const name = await nameOf(creator);
    await shop.db.query(`alter role ${name} createrole`);
    if (postgresVersion() >= 16)
      await shop.db.query(`grant rafiki_owner to ${name} with admin true, inherit false, set false`);
    await shop.db.query('grant create on schema public to rafiki_owner');
    const { prologue, joining, idempotent } = JSON.parse(readFileSync(path.join(extensionDir, 'parts.json'), 'utf8'));
    await creator.transaction((tx) => tx.query(prologue + joining + idempotent));
    expect(await failureOf(creator, 'set role rafiki_owner')).toMatchObject({ code: '42501' });
    expect(await ownerMembers(shop.db)).toEqual(postgresVersion() < 16 ? [] : [name]); // who has its admin option could be one again
    if (postgresVersion() >= 16) await shop.db.query(`revoke rafiki_owner from ${name}`);
  } finally {
    await shop.drop();
  }
});
