import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bridge, createBridge } from '../../src/bridge/create-bridge.ts';
import { checkDatabase } from '../../src/cli/commands/services/check-database.ts';
import { SERVICE, urlAs } from '../../src/cli/logins.ts';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { postgresIdentity } from '../../src/cli/up/unprivileged.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { createDatabaseWithoutRefits, postgresVersion, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { SERVICE_PASSWORD } from '../support/service-password.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews, eventually } from '../support/studies.ts';

/** Debian's, which has pg_basebackup. */
const bin = '/usr/lib/postgresql/15/bin';
const canCopy = existsSync(path.join(bin, 'pg_basebackup')) && postgresVersion() === 15;

/** One after the other: a standby, then a copy that is promoted beside its original. */
describe.skipIf(!canCopy)('a physical copy', () => {
  let dir: string;
  let cacheDir: string;
  const copies: Database[] = [];
  let database: TestDatabase;
  let processes: RunningProcesses;
  let server: ChildProcess;
  let copy: Database;
  let serviceOfCopy: Database;
  let bridge: Bridge | undefined;

  beforeAll(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'rafiki-standby-'));
    cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
    database = await createDatabaseWithoutRefits();
    await createReviews(database.db);
    processes = await startProcesses(database.service);
    await database.db.query(
      `select rafiki_train('sentiment', 'reviews', model => 'm', families => '{linear_text}', max_trials => 1)`,
    );
    await eventually(database.db, `select from rafiki.deployment where state = 'ready'`, [], 100_000);
    const port = await startCopy();
    const url = new URL(database.url);
    url.port = String(port);
    copy = new Database({ url: url.href, application: 'test', maxConnections: 1, asUser: true, logger });
    serviceOfCopy = new Database({ url: urlAs(copy.url, SERVICE, SERVICE_PASSWORD), application: 'test', logger });
    copies.push(copy, serviceOfCopy);
  });
  afterAll(async () => {
    await bridge?.stop();
    await Promise.all(copies.map((each) => each.stop()));
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGINT');
    await ended;
    await processes.stop();
    await database.drop();
    for (const each of [dir, cacheDir]) rmSync(each, { recursive: true });
  });

  async function startCopy(): Promise<number> {
    const identity = postgresIdentity();
    chmodSync(dir, 0o700);
    if (identity) chownSync(dir, identity.uid, identity.gid);
    const data = path.join(dir, 'data');
    const args = ['-D', data, '-R', '-X', 'stream', '-c', 'fast', '-d', database.url];
    await promisify(execFile)(path.join(bin, 'pg_basebackup'), args, { ...identity, cwd: dir });
    const port = await choosePort(undefined, 28_000, '--port');
    const settings = [
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
      '-c',
      'max_connections=200',
    ];
    server = spawn(path.join(bin, 'postgres'), ['-D', data, '-p', String(port), ...settings], {
      ...identity,
      ...{ cwd: dir, stdio: 'ignore' },
    });
    return port;
  }

  const answer = async (on: Database): Promise<string | undefined> =>
    (await on.query<{ label: string }>(`select rafiki_predict('m', 'film 7 was great') as label`))[0]?.label;

  test('as a read-only standby answers by the servers of the primary, and changes nothing', async () => {
    const isReady = (): Promise<boolean> =>
      copy.query(`select from rafiki.deployment where state = 'ready'`).then(
        (rows) => rows.length > 0,
        () => false,
      );
    await expect.poll(isReady).toBe(true);
    expect(await answer(copy)).toBe('pos');
    expect(await copy.query(`select count(*)::int as n from reviews where rafiki_predict('m', body) = label`)).toEqual([
      { n: 200 },
    ]);
    expect(await copy.query(`select rafiki_predict_many('m', '{great,awful}') as labels`)).toHaveLength(1);
    expect(await copy.query(`select (rafiki_predict_detail('m', 'great')) ->> 'label' as label`)).toHaveLength(1);
    expect(await copy.query(`select from rafiki_explain('m', 'great')`)).not.toEqual([]);
    expect(await copy.query(`select model from rafiki.models`)).toEqual([{ model: 'm' }]);
    for (const call of [`rafiki_train('sentiment', 'reviews')`, `rafiki_deploy('m', 1)`])
      expect(await failureOf(copy, `select ${call}`)).toMatchObject({ code: '25006' });
    await expect(checkDatabase(serviceOfCopy)).rejects.toMatchObject({ message: expect.stringMatching(/standby$/) });
  });

  test('promoted beside its original, it has servers of its own after one statement', async () => {
    await copy.query('select pg_promote()');
    await eventually(copy, 'select where not pg_is_in_recovery()');
    expect(await answer(copy)).toBe('pos'); // by the servers of the original, which is why the statement is needed
    await copy.query('delete from rafiki.bridge');
    const session = new Database({ url: copy.url, application: 'test', asUser: true, logger });
    copies.push(session);
    expect(await failureOf(session, `select rafiki_predict('m', 'great')`)).toMatchObject({
      code: '08006',
      message: 'no rafiki server has run for this database yet',
    });
    bridge = createBridge({
      database: serviceOfCopy,
      port: 0,
      cacheDir,
      logger,
    });
    await bridge.start();
    expect(await answer(session)).toBe('pos');
    expect(await copy.query('select port from rafiki.bridge_address')).toEqual([{ port: bridge.address().port }]);
    const secrets = await Promise.all(
      [copy, database.db].map((on) => on.query<{ secret: string }>('select secret from rafiki.bridge')),
    );
    expect(secrets[0]).not.toEqual(secrets[1]);
    expect(await answer(database.db)).toBe('pos');
  });
});
