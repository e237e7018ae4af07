import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cluster } from '../../src/cli/cluster.ts';
import { embeddedPostgres } from '../../src/cli/embedded-binaries.ts';
import { choosePort } from '../../src/cli/free-port.ts';
import { postgresIdentity } from '../../src/cli/unprivileged.ts';
import { eventually } from '../support/rafiki-up.ts';

let dataDir: string;
let cluster: Cluster;

beforeEach(async () => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-cluster-'));
  chmodSync(dataDir, 0o755); // whom Postgres runs as must be able to enter
  const identity = postgresIdentity();
  const postgresDir = await embeddedPostgres(identity, dataDir);
  const port = await choosePort(undefined, 46_800, '--port');
  cluster = new Cluster({ postgresDir, dataDir, port, identity });
});
afterEach(async () => {
  await cluster.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

test('a Postgres that is stopped while it starts is gone, and starts again', async () => {
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
