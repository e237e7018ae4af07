import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { install } from '../../src/cli/install/install.ts';
import { SERVICE, setServicePassword, urlAs } from '../../src/cli/logins.ts';
import { Cluster } from '../../src/cli/up/cluster.ts';
import { embeddedPostgres } from '../../src/cli/up/embedded-binaries.ts';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { postgresIdentity } from '../../src/cli/up/unprivileged.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { eventually } from '../support/rafiki-up.ts';

const entry = path.resolve(import.meta.dirname, '../../dist/cli/main.js');
let dataDir: string;
let cluster: Cluster;
let place: { postgresDir: string; port: number };

beforeEach(async () => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-cluster-'));
  chmodSync(dataDir, 0o755); // whom Postgres runs as must be able to enter
  const identity = postgresIdentity();
  const postgresDir = await embeddedPostgres(identity, dataDir);
  const port = await choosePort(undefined, 26_800, '--port');
  place = { postgresDir, port };
  cluster = new Cluster({ ...place, dataDir, identity });
});
afterEach(async () => {
  await cluster.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

test('a Postgres that is stopped while it starts ends, and can start again', async () => {
  await cluster.start();
  await cluster.stop();
  const standby = path.join(dataDir, 'db/standby.signal');
  writeFileSync(standby, ''); // of a server that no other one feeds, and which is never ready without this setting
  appendFileSync(path.join(dataDir, 'db/postgresql.conf'), 'hot_standby = off\n');
  const starting = cluster.start().then(
    () => 'started',
    () => 'stopped',
  );
  const file = path.join(dataDir, 'db/postmaster.pid');
  const pid = await eventually(
    async () => Number(existsSync(file) && readFileSync(file, 'utf8').split('\n')[0]) || undefined,
  );
  await cluster.stop();
  expect([await starting, isAlive(pid)]).toEqual(['stopped', false]);
  rmSync(standby);
  await cluster.start();
  expect(isAlive(cluster.pid ?? 0)).toBe(true);
});

test('none is started after it was stopped', async () => {
  const starting = cluster.start().then(
    () => 'started',
    () => 'stopped',
  );
  await cluster.stop(); // initdb runs
  expect([await starting, cluster.pid]).toEqual(['stopped', undefined]);
  expect(existsSync(path.join(dataDir, 'db/postmaster.pid'))).toBe(false);
});

test.runIf(existsSync('/proc/self/cwd'))(
  "a dead server's id that another process has now, after a power loss, neither ends that process nor prevents the start",
  async () => {
    await cluster.start();
    await cluster.stop();
    const other = spawn('sleep', ['600'], { ...postgresIdentity(), stdio: 'ignore' }); // Postgres respects processes of its user
    try {
      const left = path.join(dataDir, 'db/postmaster.pid');
      writeFileSync(
        left,
        `${other.pid}\n${path.join(dataDir, 'db')}\n1700000000\n26800\n\n127.0.0.1\n 1 1\nready   \n`,
      );
      await cluster.start();
      expect([isAlive(cluster.pid ?? 0), other.exitCode, other.signalCode]).toEqual([true, null, null]);
    } finally {
      other.kill();
    }
  },
);

test('max_connections is at least what the processes need; a greater value of an administrator stays', async () => {
  const atLeast = (minConnections: number): Cluster =>
    new Cluster({ ...place, dataDir, identity: postgresIdentity(), minConnections });
  const shown: string[] = [];
  const look = async (statement: string): Promise<void> => {
    await cluster.start();
    const admin = new Database({ url: cluster.url('postgres'), application: 'test', logger: silentLogger });
    const [row] = await admin.query<{ max_connections: string }>('show max_connections');
    shown.push(row?.max_connections ?? '');
    await admin.query(statement);
    await admin.stop();
    await cluster.stop();
  };
  cluster = atLeast(163);
  await look('alter system set max_connections = 170');
  await look('select');
  cluster = atLeast(177);
  await look('select');
  expect(shown).toEqual(['163', '170', '177']);
});

test('data of another major version are not changed, and the error explains how to migrate them', async () => {
  await cluster.start();
  await cluster.stop();
  writeFileSync(path.join(dataDir, 'db/PG_VERSION'), '17\n');
  await expect(cluster.start()).rejects.toMatchObject({
    message: expect.stringMatching(/is of PostgreSQL 17, and this is PostgreSQL 18$/),
    hint: expect.stringContaining('pg_dump'),
  });
  writeFileSync(path.join(dataDir, 'db/PG_VERSION'), '18\n');
  await cluster.start();
});

test('our processes end on SIGTERM while Postgres is unreachable', async () => {
  await cluster.start();
  const admin = new Database({ url: cluster.url('postgres'), application: 'test', asUser: true, logger: silentLogger });
  await install(admin);
  await setServicePassword(admin, 'secret');
  await admin.stop();
  const env = { ...process.env, RAFIKI_LOG: 'info', RAFIKI_CACHE_DIR: path.join(dataDir, 'cache') };
  const url = urlAs(cluster.url('postgres'), SERVICE, 'secret');
  const bridgePort = await choosePort(undefined, 26_850, '--bridge-port');
  const children = ['coordinator', 'worker', 'serve'].map((command) => {
    const bridge = command === 'serve' ? ['--bridge-port', String(bridgePort)] : [];
    return spawn(process.execPath, [entry, command, '--database-url', url, ...bridge], {
      env,
      stdio: ['ignore', 'inherit', 'pipe'],
    });
  });
  const ended = Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))));
  await Promise.all(children.map((child) => said(child, '"msg":"ready"')));
  await cluster.stop();
  await Promise.all(children.map((child) => said(child, 'ECONNREFUSED')));
  for (const child of children) child.kill('SIGTERM');
  expect(await ended).toEqual([0, 0, 0]);
});

/** Once it has written that. */
async function said(child: ChildProcess, text: string): Promise<void> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr! })) {
    if (line.includes(text)) return;
    lines.push(line);
  }
  throw new Error(`it never said ${text}:\n${lines.join('\n')}`);
}
