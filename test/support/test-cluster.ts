import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { install } from '../../src/cli/install/install.ts';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import { setServicePassword } from '../../src/cli/logins.ts';
import { Cluster } from '../../src/cli/up/cluster.ts';
import { embeddedPostgres } from '../../src/cli/up/embedded-binaries.ts';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { postgresIdentity } from '../../src/cli/up/unprivileged.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { released } from './released.ts';
import { SERVICE_PASSWORD } from './service-password.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
    postgresVersion: number;
  }
}

/** `undefined`: the one that rafiki comes with. */
const packageOf = (version: 16 | 17 | 18): string | undefined => (version === 18 ? undefined : `postgres-${version}`);

/** A real server in a temporary folder, with rafiki installed in the template that each test's database is cloned from. */
export async function startTestCluster(project: TestProject, version: 15 | 16 | 17 | 18): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(path.join(tmpdir(), `rafiki-pg${version}-`));
  chmodSync(dataDir, 0o755);
  const identity = postgresIdentity();
  const postgresDir =
    version === 15 ? '/usr/lib/postgresql/15' : await embeddedPostgres(identity, dataDir, packageOf(version));
  const settings: Record<string, string> = {
    fsync: 'off',
    max_wal_size: '256MB', // its folder may be in memory
    max_connections: '200',
    jit: 'off', // Debian's would compile for minutes; sql-sessions turns it on
    log_line_prefix: '%m [%p] %a: ',
  };
  if (version === 18) {
    cpSync(extensionDir, path.join(dataDir, 'extension'), { recursive: true });
    writeFileSync(path.join(dataDir, 'extension/extension/rafiki--0.1.0.sql'), released('rafiki--0.1.0')); // to upgrade from
    settings['extension_control_path'] = `$system:${path.join(dataDir, 'extension')}`;
  }
  // any, since others on this machine look for one at the same moment; but below those that connections get
  const port = await choosePort(undefined, 10_000 + Math.trunc(Math.random() * 10_000), '--port');
  const initdbArgs = ['--locale=C', '--no-sync'];
  const cluster = new Cluster({ postgresDir, dataDir, port, identity, initdbArgs, settings });
  const stop = async (): Promise<void> => {
    await cluster.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  await cluster.start();
  try {
    await createTemplate(cluster);
  } catch (error) {
    await stop();
    throw error;
  }
  project.provide('postgresUrl', cluster.url('postgres'));
  project.provide('postgresVersion', version);
  return stop;
}

async function createTemplate(cluster: Cluster): Promise<void> {
  const admin = new Database({ url: cluster.url('postgres'), application: 'test', logger: silentLogger });
  await admin.query('create database rafiki_template');
  const url = cluster.url('rafiki_template');
  const template = new Database({ url, application: 'test', asUser: true, logger: silentLogger });
  await install(template);
  await setServicePassword(template, SERVICE_PASSWORD);
  await template.stop();
  await admin.stop();
}
